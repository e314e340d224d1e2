// What every page can do: open its menu, ask before what cannot be undone, post with the session's token, listen.
"use strict";
const hotline = (() => {
  const csrf = () => document.querySelector("meta[name=csrf]").content;

  // Post a form (an object or FormData) and return the JSON answer; throws an Error with the server's words.
  async function post(path, fields = {}) {
    const body = fields instanceof FormData ? fields : new URLSearchParams(fields);
    const answer = await fetch(path, {
      method: "POST", body, headers: { "X-CSRF-Token": csrf(), Accept: "application/json" }, credentials: "same-origin",
    });
    if (answer.status === 401) location.assign("/login?next=" + encodeURIComponent(location.pathname));
    if (answer.redirected) return {};
    const told = answer.headers.get("Content-Type")?.includes("json") ? await answer.json() : {};
    if (!answer.ok) throw new Error(told.error?.text || answer.statusText);
    return told;
  }

  // Call heard(topic, fields) for each event; the browser reconnects by itself and misses nothing. A page that was
  // away for too long gets the topic "reset", and is loaded anew unless `heard` returns true for it. `from` is the
  // position of the stream that the page was made at, so that nothing is missed between the two.
  function listen(topics, heard, from = "") {
    const source = new EventSource(`/events?topics=${topics.join(",")}&last_seen=${encodeURIComponent(from)}`);
    const lost = document.getElementById("connection");
    for (const topic of topics) source.addEventListener(topic, (event) => heard(topic, JSON.parse(event.data)));
    source.addEventListener("reset", () => { if (heard("reset", {}) !== true) location.reload(); });
    source.onopen = () => { lost.hidden = true; };
    source.onerror = () => {
      lost.hidden = false;
      // a browser does not come back by itself after an answer that is no stream, such as "logged out"
      if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
    };
    return source;
  }

  // Make a part of the page as the server says now (an element, or the text of what is inside), node by node: a button
  // stays the same button, so that a click between press and release, the focus and a choice are not lost. What acts on
  // one order or call has an id of its own, or it could become the button of the next one under the pointer.
  function bring(shown, fresh) {
    window.Idiomorph.morph(shown, fresh, {
      morphStyle: typeof fresh === "string" ? "innerHTML" : "outerHTML",
      callbacks: { beforeNodeMorphed: (old) => !(old instanceof HTMLSelectElement) },
    });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-toggles]");
    if (button) {
      const open = document.getElementById(button.dataset.toggles).classList.toggle("is-open");
      button.setAttribute("aria-expanded", String(open));
    }
    for (const menu of document.querySelectorAll("details.user[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });
  return { post, listen, bring, csrf };
})();
window.hotline = hotline;
