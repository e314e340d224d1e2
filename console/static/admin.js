// The administrator's pages: the rehearsal that goes on while people read, and the line of a file one is in.
"use strict";
(() => {
  const running = () => document.querySelector("#trial[data-state=running]");
  const timer = running() && setInterval(async () => {
    try {
      const answer = await fetch("/admin/rehearsal?part=1", { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const is = page.getElementById("trial");
      if (is.dataset.state === "running") return;
      const shown = running(); // stays where it is, so that a reader of screens tells what has come into it
      shown.innerHTML = is.innerHTML;
      shown.dataset.state = is.dataset.state;
      clearInterval(timer);
    } catch { /* the next one may come through */ }
  }, 1000);

  const text = document.getElementById("yaml"), place = document.getElementById("place");
  if (text && place) {
    const tell = () => {
      place.textContent = place.dataset.words.replace("{}", text.value.slice(0, text.selectionStart).split("\n").length);
    };
    for (const what of ["keyup", "click", "focus"]) text.addEventListener(what, tell);
  }
})();
