// The seat's desk: parts are fetched anew when something has happened to the seat or its call; typing is never lost.
"use strict";
(() => {
  const desk = document.getElementById("desk");
  const byId = (id) => document.getElementById(id);
  const kinds = JSON.parse(desk.dataset.kinds);
  desk.classList.add("has-script");

  // -- what changes
  function tick() {
    for (const place of desk.querySelectorAll("[data-seconds]")) {
      const seconds = Math.max(0, Math.floor((Date.now() - loadedAt) / 1000) + Number(place.dataset.seconds));
      place.textContent = Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
    }
  }
  let loadedAt = Date.now();
  let isFetching = false;
  let isStale = false;
  async function refresh() {
    if (isFetching) {
      isStale = true;
      return;
    }
    isFetching = true;
    do {
      isStale = false;
      try {
        const answer = await fetch("/seat/now", { credentials: "same-origin" });
        if (answer.redirected || answer.status === 401) location.reload();
        if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } catch { /* the stream says when the server is back */ }
    } while (isStale);
    isFetching = false;
  }
  function show(parts) {
    for (const part of parts.querySelectorAll("[data-live]")) {
      const shown = byId(part.id);
      if (shown.dataset.call === part.dataset.call) hotline.bring(shown, part);
      else shown.replaceWith(part); // a press begun upon one call must not come down upon the next
    }
    loadedAt = Date.now();
    const why = byId("desk-call").dataset.whyNoTransfer;
    byId("why-transfer").textContent = why;
    byId("why-transfer").hidden = !why;
    tick();
  }

  // -- acts
  function say(text, isGood) {
    byId("said").textContent = (isGood ? "✓ " : "✕ ") + text;
    byId("said").className = "note " + (isGood ? "good" : "bad");
    byId("said").hidden = !text;
  }
  async function act(path, fields) {
    try {
      say((await hotline.post(path, fields)).text || "", true);
      return true;
    } catch (wrong) {
      say(wrong.message, false);
      return false;
    } finally {
      refresh();
    }
  }
  desk.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.id === "search-form") event.preventDefault();
    if (!form.matches("[data-post]")) return;
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    const isDone = await act(form.getAttribute("action"), new FormData(form));
    button.disabled = false;
    if (isDone && form.dataset.empties) for (const name of form.dataset.empties.split(" ")) form.elements[name].value = "";
  });

  // -- search: type, arrows, Enter
  const field = byId("q");
  const list = byId("found");
  let results = [];
  let chosen = -1;
  let asked = 0;
  let waiting = null;
  function close() {
    results = [];
    chosen = -1;
    list.hidden = true;
    list.replaceChildren();
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }
  function mark(place) {
    chosen = place;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === place)));
    const item = list.children[place];
    if (!item) return;
    field.setAttribute("aria-activedescendant", item.id);
    item.scrollIntoView({ block: "nearest" });
  }
  function option(one, place) {
    const item = document.createElement("li");
    const name = document.createElement("strong");
    const about = document.createElement("span");
    name.textContent = one.name;
    const told = [one.belongs_elsewhere ? kinds.elsewhere : kinds[one.kind], one.unit === one.name ? "" : one.unit, one.code && "*" + one.code + "#", one.number];
    about.textContent = told.filter(Boolean).join(" · ");
    about.className = "quiet";
    item.id = "found-" + place;
    item.setAttribute("role", "option");
    item.append(name, " ", about);
    item.addEventListener("mousedown", (event) => event.preventDefault());
    item.addEventListener("click", () => put(place));
    return item;
  }
  async function search() {
    const words = field.value.trim();
    const mine = ++asked;
    if (!words) return close();
    let found;
    try {
      const answer = await fetch("/seat/search?q=" + encodeURIComponent(words), { credentials: "same-origin", headers: { Accept: "application/json" } });
      found = (await answer.json()).results;
      if (!found) throw new Error();
    } catch {
      if (mine === asked) tell(desk.dataset.failed);
      return;
    }
    if (mine !== asked) return; // something else has been typed meanwhile
    results = found;
    if (!found.length) return tell(desk.dataset.none);
    list.replaceChildren(...found.map(option));
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    mark(0);
  }
  function tell(text) {
    close();
    const item = document.createElement("li");
    item.className = "quiet";
    item.setAttribute("role", "option");
    item.setAttribute("aria-disabled", "true");
    item.textContent = text;
    list.append(item);
    list.hidden = false;
  }
  async function put(place) {
    const one = results[place];
    if (!one) return;
    const call = byId("desk-call").dataset;
    if (call.whyNoTransfer) return say(call.whyNoTransfer, false);
    if (await act(`/seat/calls/${encodeURIComponent(call.call)}/transfer`, { kind: one.kind, target: one.key })) {
      field.value = "";
      close();
    }
  }
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    asked += 1;
    waiting = setTimeout(search, 80);
  });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return; // pinyin is being turned into characters
    if (event.key === "ArrowDown") mark(Math.min(chosen + 1, results.length - 1));
    else if (event.key === "ArrowUp") mark(Math.max(chosen - 1, 0));
    else if (event.key === "Enter") put(chosen);
    else if (event.key === "Escape") { field.value = ""; asked += 1; close(); }
    else return;
    event.preventDefault();
  });

  // -- keys that no typing needs
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey && event.target.id === "text") event.target.form.requestSubmit();
    if (event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
    const button = desk.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (event.key === "F2") field.focus();
    else if (!button) return;
    else if (button.disabled) say(byId(button.getAttribute("aria-describedby"))?.textContent || "", false);
    else button.click();
    event.preventDefault();
  });

  // -- the connection
  let soon = null;
  const source = hotline.listen(["call", "seat", "site"], (topic, fields) => {
    const mine = byId("desk-state").dataset.number;
    const call = byId("desk-call").dataset.call;
    const concerns = topic === "seat" ? fields.number === mine : topic !== "call" || fields.call_id === call;
    if (concerns && soon === null) soon = setTimeout(() => { soon = null; refresh(); }, 50);
    return true;
  }, desk.dataset.position);
  source.addEventListener("open", () => {
    if (!byId("lost").hidden) refresh();
    byId("lost").hidden = true;
  });
  source.addEventListener("error", () => {
    if (!byId("lost").hidden) return;
    const time = new Date().toLocaleTimeString("zh-CN", { hour12: false });
    byId("lost").textContent = "⚠ " + byId("lost").dataset.text.replace("TIME", time);
    byId("lost").hidden = false;
  });
  if (field.value) search();
  byId("found-plain")?.remove();
  setInterval(tick, 1000);
  tick();
})();
