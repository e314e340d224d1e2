// The unit's pages, kept up to date: the part that changes is fetched anew when one of its orders has moved.
"use strict";
(() => {
  const live = document.getElementById("live");
  const order = live.dataset.order;
  let isAsking = false, isStale = false;

  async function refresh() {
    if (isAsking) { isStale = true; return; }
    isAsking = true;
    try {
      const was = live.querySelector("[data-state]")?.dataset.state;
      const answer = await fetch(live.dataset.now, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) { location.reload(); return; }
      hotline.bring(live, await answer.text());
      const is = live.querySelector("[data-state]")?.dataset.state;
      // what may be done now stands outside of the part that changes; never take typed words away
      const isTyping = [...document.querySelectorAll("textarea")].some((one) => one.value);
      if (order && was !== is && !isTyping) location.reload();
      tick();
    } catch { /* the line below says that the server is away */ } finally {
      isAsking = false;
      if (isStale) { isStale = false; refresh(); }
    }
  }

  // -- countdowns, by the service's clock, which a rehearsal may move
  const ahead = live.dataset.at ? Date.parse(live.dataset.at) - Date.now() : 0;
  function tick() {
    const now = Date.now() + ahead;
    for (const one of document.querySelectorAll(".left[data-due]")) {
      const seconds = Math.round((Date.parse(one.dataset.due) - now) / 1000);
      if (Math.abs(seconds) >= 3600) continue; // hours and days are as the server wrote them
      const two = (number) => String(number).padStart(2, "0");
      const left = Math.abs(seconds);
      const words = seconds > 0 ? one.dataset.left : one.dataset.late;
      one.textContent = words.replace("{}", `${two(Math.floor(left / 60))}:${two(left % 60)}`);
    }
  }
  if (live.dataset.at) { tick(); setInterval(tick, 1000); setInterval(refresh, 60000); }

  if (live.dataset.every) {
    setInterval(() => { if (live.querySelector("[data-state=running]")) refresh(); }, live.dataset.every * 1000);
  } else {
    hotline.listen(["order", "callback"], (topic, told) => {
      if (!order || told.order_id === order || (told.orders || []).includes(order)) refresh();
    }, live.dataset.from);
  }
})();
