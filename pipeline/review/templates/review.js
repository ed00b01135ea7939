"use strict";
// Texts of the data reach the page as text alone (textContent), never as HTML.

const MOST_KEYS = 9;
const NAMES = { keep: "label is right", unclear: "unclear", set_aside: "set aside" };
const find = (id) => document.getElementById(id);
let state = null; // what the server sent: choice, labels, file, rows
let current = 0; // position of the row that is shown
let picked = new Set(); // labels that are chosen, where a row has several
const done = []; // decisions of this tab, for undo: {row, before}
let queue = Promise.resolve(); // keys are worked off one after the other, so that none is lost
let refusals = 0; // decisions that were not saved: keys that were pressed before one was seen are about other rows

function takeToken() {
  if (location.hash.length > 1) {
    sessionStorage.setItem("token", location.hash.slice(1));
    history.replaceState(null, "", location.pathname); // a picture of the screen does not show it
  }
  return sessionStorage.getItem("token") || "";
}

async function ask(path, body) {
  const headers = { "X-Retune-Token": token };
  if (body) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  } catch {
    return [0, { error: "retune review has ended, so this decision is not saved. Start it again." }];
  }
  return [answer.status, await answer.json()];
}

function say(text, wrong = false) {
  find("message").textContent = text;
  find("message").classList.toggle("wrong", wrong);
}

const seen = (decision) => decision && { decision: decision.decision, new_label: decision.new_label };
const asSet = (label) => (state.choice === "several" ? JSON.parse(label) : [label]);
const shown = (label) => asSet(label).join(", ") || "none";
const left = () => state.rows.filter((row) => !row.decision).length;

function outcome(decision) {
  return decision.decision === "relabel" ? `→ ${shown(decision.new_label)}` : NAMES[decision.decision];
}

async function decide(row, decision) {
  const before = row.decision;
  const [status, answer] = await ask("/api/decision", { id: row.id, decision, seen: seen(before) });
  if (status === 200) {
    row.decision = answer.decision;
    return true;
  }
  refusals += 1;
  if (status === 409) {
    row.decision = answer.decision;
    goTo(row);
  }
  say(answer.error, true);
  return false;
}

async function choose(decision) {
  const row = state.rows[current];
  const before = row.decision;
  if (!(await decide(row, { new_label: "", note: find("note").value.trim(), ...decision }))) return;
  done.push({ row, before });
  advance();
  say(`Saved: ${row.id} ${outcome(row.decision)}`);
}

async function undo() {
  const last = done.at(-1);
  if (!last) return say("Nothing to undo on this page.");
  if (!(await decide(last.row, last.before))) return;
  done.pop();
  goTo(last.row);
  say(`Undone: ${last.row.id}`);
}

function advance() {
  const count = state.rows.length;
  for (let step = 1; step <= count; step += 1) {
    const next = (current + step) % count;
    if (!state.rows[next].decision) {
      current = next;
      return show();
    }
  }
  show();
}

function labelsOf(row) {
  if (state.labels.length <= MOST_KEYS) return state.labels;
  const first = [...asSet(row.suggested), ...asSet(row.label)];
  const rank = (label) => (first.includes(label) ? 2 : probabilityOf(row, label) ?? 0);
  return [...state.labels].sort((one, other) => rank(other) - rank(one));
}

function probabilityOf(row, label) {
  if (Object.hasOwn(row.probabilities, label)) return row.probabilities[label];
  if (!row.doubt) return null;
  return label === row.label ? row.doubt[0] : label === row.suggested ? row.doubt[1] : null;
}

function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.textContent = text;
  return made;
}

function choiceButton(row, label, number) {
  const button = element("button", "", "");
  button.type = "button";
  button.dataset.label = label;
  const given = asSet(row.label).includes(label);
  const suggested = asSet(row.suggested).includes(label);
  const marks = [given && "given", suggested && "suggested"].filter(Boolean).join(", ");
  const probability = probabilityOf(row, label);
  button.append(element("kbd", "", number < MOST_KEYS ? String(number + 1) : " "), element("span", "name", label));
  button.append(element("span", "mark", marks));
  button.append(element("span", "probability", probability === null ? "" : probability.toFixed(2)));
  if (probability !== null) {
    const bar = element("span", "bar", "");
    bar.style.width = `${100 * probability}%`;
    button.append(bar);
  }
  button.setAttribute("aria-pressed", String(picked.has(label)));
  button.addEventListener("click", () => enqueue(() => pick(label)));
  return button;
}

function pick(label) {
  if (state.choice === "one") return choose({ decision: "relabel", new_label: label });
  picked.has(label) ? picked.delete(label) : picked.add(label);
  showChoices(state.rows[current]);
}

function save() {
  if (state.choice === "typed") return choose({ decision: "relabel", new_label: find("value").value.trim() });
  if (state.choice === "several") {
    return choose({ decision: "relabel", new_label: JSON.stringify([...picked].sort()) });
  }
}

function showChoices(row) {
  find("choices").replaceChildren(...labelsOf(row).map((label, number) => choiceButton(row, label, number)));
}

function show() {
  const row = state.rows[current];
  const open = left();
  find("progress").textContent = `${state.rows.length - open} of ${state.rows.length} decided`;
  find("bar").max = state.rows.length || 1;
  find("bar").value = state.rows.length - open;
  find("done").hidden = open > 0;
  find("main").hidden = !row;
  if (!row) return;
  find("id").textContent = row.id;
  find("place").textContent = `${current + 1} of ${state.rows.length}`;
  find("decided").textContent = row.decision ? outcome(row.decision) : "";
  find("text").textContent = row.text;
  find("text-pair").textContent = row.text_pair || "";
  find("text-pair").hidden = !row.text_pair;
  find("question").textContent = `Given: ${row.label_shown}. Suggested: ${row.suggested_shown}.`;
  find("question").hidden = state.choice === "one";
  find("note").value = row.decision ? row.decision.note : "";
  const chosen = row.decision && row.decision.decision === "relabel" ? row.decision.new_label : null;
  const kept = row.decision && row.decision.decision === "keep" ? row.source_label : null;
  picked = new Set(state.choice === "one" ? [chosen ?? kept] : asSet(chosen ?? kept ?? row.label));
  find("value").value = state.choice === "typed" ? (chosen ?? kept ?? row.label) : "";
  showChoices(row);
  find("neighbours").hidden = row.neighbours.length === 0;
  find("neighbours").querySelector("ul").replaceChildren(
    ...row.neighbours.map((neighbour) => {
      const item = element("li", "", "");
      item.append(element("b", "", neighbour.label), element("span", "", neighbour.text));
      return item;
    }),
  );
}

function goTo(row) {
  current = state.rows.indexOf(row);
  show();
}

function move(steps) {
  current = Math.min(Math.max(current + steps, 0), state.rows.length - 1);
  say("");
  show();
}

const KEYS = {
  s: () => (advance(), say("")),
  u: () => choose({ decision: "unclear" }),
  x: () => choose({ decision: "set_aside" }),
  z: undo,
  n: () => find("note").focus(),
  ArrowLeft: () => move(-1),
  ArrowRight: () => move(1),
  Enter: save,
};

function enqueue(task) {
  const before = refusals;
  queue = queue
    .then(() => (refusals === before ? task() : undefined))
    .catch((error) => {
      refusals += 1;
      say(`This page has failed: ${error}`, true);
    });
}

function onKey(event) {
  if (!state || !state.rows.length || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return document.activeElement.blur();
  if (event.target.tagName === "INPUT" || (event.key === "Enter" && event.target.tagName === "BUTTON")) return;
  if (/^[1-9]$/.test(event.key) && state.choice !== "typed") {
    enqueue(() => {
      const label = labelsOf(state.rows[current])[Number(event.key) - 1];
      return label === undefined ? undefined : pick(label);
    });
  } else if (KEYS[event.key]) {
    enqueue(KEYS[event.key]);
  } else {
    return;
  }
  event.preventDefault();
}

async function start() {
  const [status, answer] = await ask("/api/rows");
  if (status !== 200) {
    const advice = status === 403 ? " Open the address that retune review has printed." : "";
    return say(answer.error + advice, true);
  }
  state = answer;
  find("diff").textContent = `git diff ${state.file}`;
  find("save").hidden = state.choice === "one";
  find("number").hidden = state.choice !== "typed";
  find("choices").hidden = state.choice === "typed";
  find("form").addEventListener("submit", (event) => (event.preventDefault(), enqueue(save)));
  for (const button of document.querySelectorAll(".actions button")) {
    button.addEventListener("click", () => enqueue(KEYS[button.dataset.key]));
  }
  document.addEventListener("keydown", onKey);
  current = Math.max(state.rows.findIndex((row) => !row.decision), 0);
  show();
  if (!state.rows.length) say("No row has a suspect label.");
}

const token = takeToken();
start();
