// Shows that what scrolls sideways goes on at the right: not all browsers show scroll bars.

import { make } from "./words.js";

/** A scrolling element around `content`, in a frame that has the class `goes-on` while more of it is at the right. */
export function makeScroller(content) {
  const scroller = make("div", { className: "scroll" }, content);
  const frame = make("div", { className: "scroll-frame" }, scroller);
  const update = () => {
    const rest = scroller.scrollWidth - scroller.clientWidth - scroller.scrollLeft;
    // Widths are rounded.
    frame.classList.toggle("goes-on", rest > 1);
  };
  scroller.addEventListener("scroll", update, { passive: true });
  const observer = new ResizeObserver(update);
  for (const element of [scroller, content]) observer.observe(element);
  return frame;
}
