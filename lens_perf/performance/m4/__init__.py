"""M4 downsampling with numpy: buckets along an axis, and the choice of points in each bucket."""
