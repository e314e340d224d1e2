// The supervisor's pages: the countdown ticks, what is at risk renews itself, acts are asked about in a dialog.
"use strict";
(() => {
  document.documentElement.classList.add("js");
  const said = document.getElementById("said");
  const dialog = document.getElementById("act-dialog");

  // -- countdown: the server says how many seconds are left; the browser only counts, so its clock does not matter
  const two = (n) => String(n).padStart(2, "0");
  function startCountdown() {
    const timer = document.querySelector("[data-countdown-s]");
    if (!timer) return;
    timer.dataset.endsAt = String(performance.now() + Number(timer.dataset.countdownS) * 1000);
    tick();
  }
  function tick() {
    const timer = document.querySelector("[data-countdown-s]");
    if (!timer) return;
    const left = Math.max(0, Math.round((Number(timer.dataset.endsAt) - performance.now()) / 1000));
    if (left < 86400) timer.textContent = `${two(Math.floor(left / 3600))}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`;
    if (left === 0 && !timer.dataset.isOver) { timer.dataset.isOver = "1"; refreshSoon(); }
  }

  // -- what is at risk: fetched anew when an order changes, and every minute, since time alone makes things late
  let planned = 0;
  function refreshSoon(wait = 800) { planned = planned || setTimeout(refresh, wait); }
  async function refresh() {
    planned = 0;
    const now = document.getElementById("now");
    if (!now) return;
    // whoever has a menu open, or is asked something, is not disturbed
    if (now.querySelector("details[open]") || (dialog && dialog.open)) return refreshSoon(2000);
    try {
      const answer = await fetch(now.dataset.refresh, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("now");
      if (!fresh) return;
      hotline.bring(now, fresh);
      startCountdown();
    } catch { /* the connection is down, and base.js says so */ }
  }
  if (document.getElementById("now")) {
    startCountdown();
    setInterval(tick, 1000);
    setInterval(() => refreshSoon(0), 60000);
    hotline.listen(["order"], (topic) => { refreshSoon(); return topic === "reset"; });
  }

  // -- one order: say that it has changed, do not tear away what is being read or heard
  const shown = document.querySelector("[data-order]");
  if (shown) {
    hotline.listen(["order"], (topic, fields) => {
      if (topic === "order" && fields.order_id === shown.dataset.order) document.getElementById("changed").hidden = false;
      return topic === "reset";
    });
  }

  // -- acts: the same pages as without JavaScript, shown in a dialog
  function say(text) {
    if (!said) return;
    said.textContent = "✓ " + text;
    said.hidden = false;
  }
  if (sessionStorage.getItem("said")) say(sessionStorage.getItem("said"));
  sessionStorage.removeItem("said");
  async function ask(link) {
    const answer = await fetch(link.href, { credentials: "same-origin" });
    const form = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("act-form");
    if (!form) { location.assign(link.href); return; }
    dialog.replaceChildren(form);
    dialog.showModal();
    dialog.querySelector("textarea, select, button[type=submit]")?.focus();
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-act]");
    if (link && dialog && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      link.closest("details")?.removeAttribute("open");
      ask(link).catch(() => location.assign(link.href));
    }
    if (dialog?.open && event.target.closest("[data-close]")) { event.preventDefault(); dialog.close(); }
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
    if (event.target.closest("[data-print]")) window.print();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  dialog?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const button = form.querySelector("button[type=submit]");
    const refusal = form.querySelector("[data-refusal]");
    button.disabled = true;
    refusal.hidden = true;
    try {
      const done = await hotline.post(form.getAttribute("action"), new FormData(form));
      dialog.close();
      if (shown) { sessionStorage.setItem("said", done.text || ""); location.reload(); return; }
      say(done.text || "");
      refreshSoon(0);
    } catch (wrong) {
      refusal.textContent = "✕ " + wrong.message;
      refusal.hidden = false;
      button.disabled = false;
    }
  });

  // -- the choice of days shows only where days are chosen; printing needs JavaScript
  for (const form of document.querySelectorAll("[data-choice]")) {
    form.querySelector("[name=period]")?.addEventListener("change", (event) => {
      for (const days of form.querySelectorAll(".of-days")) {
        days.toggleAttribute("data-only-chosen", event.target.value !== "chosen");
      }
    });
  }
  for (const button of document.querySelectorAll("[data-print]")) button.hidden = false;
})();
