"""M4 with numpy: buckets along an axis, and the points that are chosen of each."""
