// The wall, kept up to date by events: each says how one call, one seat or the lines stand from now on.
"use strict";
(() => {
  const wall = document.getElementById("wall");
  const words = JSON.parse(wall.dataset.words);
  const byId = (id) => document.getElementById(id);
  const ahead = Date.parse(wall.dataset.now) - Date.now(); // the service's clock, which a rehearsal may move
  const signs = { ready: "✓", ringing: "♪", talking: "☎", wrap_up: "✎", away: "–" };

  const length = (ms) => {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const two = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    return (hours ? hours + ":" : "") + two(Math.floor(seconds / 60) % 60) + ":" + two(seconds % 60);
  };
  function tick() {
    for (const row of wall.querySelectorAll("[data-began], [data-since]")) {
      const began = row.dataset.began ? Number(row.dataset.began) : Date.parse(row.dataset.since) - ahead;
      row.querySelector("[data-length]").textContent = Number.isNaN(began) ? "" : length(Date.now() - began);
    }
  }

  // -- calls
  function showPeople(row, people) {
    const shown = people.map((one) => {
      const person = document.createElement("span");
      person.className = "person" + (one.is_up ? "" : " is-ringing");
      person.textContent = one.name + (one.is_up ? "" : ` (${words.rings})`);
      return person;
    });
    row.querySelector(".people").replaceChildren(...shown);
  }
  function showAct(row, call) {
    const cell = row.querySelector(".act");
    const on = call.supervision;
    const now = JSON.stringify([call.call_id, on, words.talking.includes(call.stage)]);
    if (cell.dataset.now === now) return; // do not take a button away under somebody's finger
    cell.dataset.now = now;
    cell.replaceChildren();
    if (on && on.who === words.me) {
      cell.append(byId("act-mine").content.cloneNode(true));
      for (const form of cell.querySelectorAll("form")) {
        form.action = form.getAttribute("action").replace("SUPERVISION", on.supervision_id);
        const mode = form.querySelector("[name=mode]")?.value;
        const button = form.querySelector("button");
        if (mode) button.setAttribute("aria-pressed", String(mode === on.mode));
        if (mode === on.mode) button.textContent = "● " + words.modes[mode];
      }
    } else if (on) {
      const badge = document.createElement("span");
      badge.className = "badge";
      badge.textContent = "◉ " + words.supervised;
      cell.append(badge);
    } else if (words.may_supervise && words.talking.includes(call.stage)) {
      cell.append(byId("act-start").content.cloneNode(true));
      const form = cell.querySelector("form");
      form.action = form.getAttribute("action").replace("CALL", call.call_id);
    }
  }
  function showCall(call) {
    const known = wall.querySelector(`[data-call="${CSS.escape(call.call_id)}"]`);
    if (call.what === "ended") {
      known?.remove();
      countSoon();
      return;
    }
    const comesIn = call.direction === "in" || call.direction === "dial_in";
    const row = known || byId(comesIn ? "call-row" : "callback-row").content.querySelector("tr").cloneNode(true);
    row.dataset.call = call.call_id;
    row.dataset.stage = call.stage;
    row.dataset.began = Date.now() - call.running_s * 1000;
    const cells = row.children;
    cells[0].textContent = comesIn ? call.caller : call.orders.join(" ") || "–";
    cells[1].textContent = comesIn ? words.matters[call.matter_id] || words.no_matter : words.units[call.unit_id] || "–";
    const stage = row.querySelector(".stage");
    stage.textContent = words.stages[call.stage] || call.stage;
    stage.classList.toggle("is-waiting", words.waiting.includes(call.stage));
    showPeople(row, call.people);
    showAct(row, call);
    if (!known) {
      row.classList.add("is-new");
      byId(comesIn ? "calls" : "callbacks").append(row);
    }
  }

  // -- seats and lines
  function showSeat(seat) {
    const row = byId("seats").querySelector(`[data-seat="${CSS.escape(seat.number)}"]`);
    if (!row) return location.reload(); // another directory
    row.dataset.state = seat.state;
    row.dataset.since = seat.since || "";
    row.querySelector(".seat-sign").textContent = signs[seat.state] || "";
    row.querySelector("[data-word]").textContent = words.states[seat.state] || seat.state;
    const typed = seat.state === "away" && seat.why ? " · " + seat.why : "";
    row.querySelector("[data-why]").textContent = (words.reasons[seat.reason] || "") + typed;
  }
  function showLines(lines) {
    byId("n-free").textContent = lines.free;
    byId("n-used").textContent = byId("n-used").dataset.text.replace("USED", lines.in_use);
    byId("n-queue").textContent = lines.waiting;
    byId("turned-away").hidden = !lines.turned_away;
    byId("turned-away").textContent = byId("turned-away").dataset.text.replace("COUNT", lines.turned_away);
    const trunks = Object.entries(lines.trunks || {}).map(([name, told]) => {
      const item = document.createElement("li");
      const state = told.state || "unasked";
      const strong = document.createElement("strong");
      strong.textContent = name;
      item.dataset.state = state;
      const sign = { registered: "✓", unasked: "✓", trying: "…" }[state] || "✕";
      item.append(strong, ` ${sign} ${words.trunks[state] || state}`);
      return item;
    });
    if (trunks.length) byId("trunks").replaceChildren(...trunks);
  }
  function count() {
    const stages = [...byId("calls").children].map((row) => row.dataset.stage);
    const waiting = stages.filter((stage) => words.waiting.includes(stage)).length;
    byId("n-calls").textContent = stages.length;
    byId("n-waiting").textContent = waiting;
    byId("f-waiting").classList.toggle("warn", waiting > 0);
    byId("n-ready").textContent = byId("seats").querySelectorAll("[data-state=ready]").length;
    byId("no-calls").hidden = stages.length > 0;
    byId("no-callbacks").hidden = byId("callbacks").children.length > 0;
  }

  // -- figures: counted by the server, asked for some time after a call or an order has come to something; not all
  // walls at the same moment
  let counting = null;
  function countSoon() {
    if (counting === null) counting = setTimeout(countNow, 3000 + Math.random() * 7000);
  }
  setInterval(countSoon, 60000); // what no call and no order brings about, such as a clock that has jumped
  async function countNow() {
    counting = null;
    const answer = await fetch("/wall/figures", { credentials: "same-origin" }).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const part = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["figures", "misses"]) hotline.bring(byId(id), part.getElementById(id));
  }

  setInterval(countSoon, 30000); // alarms come also when nothing else does

  // -- what a supervisor does
  function say(text, isGood) {
    byId("said").textContent = (isGood ? "✓ " : "✕ ") + text;
    byId("said").className = "note " + (isGood ? "good" : "bad");
    byId("said").hidden = false;
  }
  wall.addEventListener("submit", async (event) => {
    if (!event.target.matches("[data-post]")) return;
    event.preventDefault();
    const button = event.target.querySelector("button");
    button.disabled = true;
    try {
      say((await hotline.post(event.target.action, new FormData(event.target))).text, true);
    } catch (wrong) {
      say(wrong.message, false);
    } finally {
      button.disabled = false;
    }
  });

  // -- the connection
  const show = { call: showCall, seat: showSeat, lines: showLines, order: countSoon, site: () => location.reload() };
  const source = hotline.listen(["call", "seat", "lines", "order", "site"], (topic, fields) => {
    if (topic === "reset") return false; // the whole page anew
    show[topic](fields);
    count();
    tick();
    return true;
  }, wall.dataset.position);
  const isConnected = (is) => {
    byId("live").hidden = !is;
    wall.classList.toggle("is-stale", !is);
    if (is) byId("lost").hidden = true;
    else if (byId("lost").hidden) {
      const time = new Date().toLocaleTimeString("zh-CN", { hour12: false });
      byId("lost").textContent = "⚠ " + byId("lost").dataset.text.replace("TIME", time);
      byId("lost").hidden = false;
    }
  };
  source.addEventListener("open", () => isConnected(true));
  source.addEventListener("error", () => isConnected(false));
  for (const row of wall.querySelectorAll("[data-call]")) {
    row.dataset.began = Date.now() - Number(row.dataset.seconds) * 1000;
  }
  setInterval(tick, 1000);
  tick();
})();
