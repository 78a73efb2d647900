// Pictures, clips and sounds of tasks. A clip is loaded when it comes on screen, two at a time: a result may have to
// be made first, and the browser's few connections must stay free for the rest of the page.
import { el } from "./dom.js";

const AT_ONCE = 2;
const waiting = new Set();
let loading = 0;

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) waiting[isIntersecting ? "add" : "delete"](target);
  next();
});

function next() {
  for (const clip of waiting) {
    if (loading >= AT_ONCE) return;
    waiting.delete(clip);
    seen.unobserve(clip);
    loading += 1;
    const over = () => {
      loading -= 1;
      next();
    };
    clip.addEventListener("loadeddata", over, { once: true });
    clip.addEventListener("error", over, { once: true });
    clip.src = clip.dataset.src;
  }
}

// A small still of what a file shows.
export function still({ family, url }, alt) {
  if (family === "audio") return el("span", { class: "still sound", role: "img", "aria-label": alt }, "♪");
  if (family === "image") return el("img", { class: "still", alt, loading: "lazy", src: url });
  const clip = el("video", { class: "still", muted: true, playsinline: true, preload: "metadata", tabindex: "-1",
    "data-src": url, "aria-label": alt });
  seen.observe(clip);
  return clip;
}

// What plays a file, at full size.
export function player({ family, url }, name) {
  if (family === "image") return el("img", { class: "player", src: url, alt: name });
  return el(family, { class: "player", src: url, controls: true, playsinline: true, preload: "metadata", "aria-label": name });
}
