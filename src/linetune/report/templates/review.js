// The page of `linetune review`: one crop after the other, for the keyboard.
// Texts are set as text, never as HTML. A decision is on the disk before the next crop appears.
"use strict";

const $ = (id) => document.getElementById(id);
const field = $("field");
const TYPED = "linetune-typed"; // what is typed and not taken, by crop, kept if the page is loaded again
const PAUSE = 400; // ms after a choice in which a person has not seen the next crop, but may type on without Tab

let shown = null; // the crop that the page shows
let opened = ""; // the text that the field was opened with
let busy = true; // while a decision is on its way to the disk; keys wait
let chosen = -PAUSE; // when a digit was the last choice, or a key the last one that was typed on
let typesOn = false; // whether somebody types a label without having opened the text
const waiting = []; // keys that wait
const fetched = new Map(); // crops that are here already, by number
const words = JSON.parse($("words").textContent); // translations, by the English sentence
const typed = new Map(JSON.parse(sessionStorage.getItem(TYPED) || "[]"));

// A sentence in the language of the page, with its values.
function say(sentence, values = {}) {
  return (words[sentence] ?? sentence).replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
}

async function ask(path, body) {
  const options = body && {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error(say("linetune review does not answer. Is it still running? What you typed is still here."));
  }
  if (!answer.ok) {
    const said = answer.headers.get("Content-Type") || "";
    throw new Error(said.includes("json") ? (await answer.json()).error : await answer.text());
  }
  return answer.json();
}

function picture(path) {
  const image = new Image();
  image.alt = "";
  image.src = path;
  // Decoded before it is shown. An image that cannot be read is shown as its error.
  return image.decode().then(() => image, () => null);
}

// A crop with its images. `turned` is undefined for a crop as it was settled.
async function load(index, turned) {
  const item = await ask(`item/${index}${turned === undefined ? "" : `?turned=${Number(turned)}`}`);
  [item.image, item.photoImage] = await Promise.all([
    item.error ? null : picture(`image/${index}${item.turned ? "?turned" : ""}`),
    item.photo ? picture(`photo/${index}`) : null,
  ]);
  return item;
}

function get(index) {
  if (!fetched.has(index)) {
    const loading = load(index);
    loading.catch(() => fetched.delete(index));
    fetched.set(index, loading);
  }
  return fetched.get(index);
}

function fetchAhead(item) {
  const near = [item.index - 1, item.index + 1, ...item.ahead].filter((i) => i >= 0 && i < total());
  near.forEach((index) => get(index).catch(() => {}));
  for (const index of fetched.keys()) {
    if (fetched.size <= 40) break;
    if (index !== item.index && !near.includes(index)) fetched.delete(index);
  }
}

const total = () => Number($("bar").max);

function setPieces(element, pieces) {
  element.replaceChildren(...pieces.map(([text, mark]) => {
    const piece = document.createElement(mark ? "mark" : "span");
    if (mark) piece.className = mark;
    piece.textContent = text;
    return piece;
  }));
}

function tell(text, bad = false) {
  $("message").textContent = text;
  $("message").className = bad ? "bad" : "";
}

function setProgress(progress) {
  $("bar").max = progress.total;
  $("bar").value = progress.settled;
  const parts = [say("{settled} of {total} settled", progress)];
  if (progress.a_minute) {
    const minutes = progress.seconds_left / 60;
    parts.push(
      say("{crops} a minute", { crops: Math.round(progress.a_minute) }),
      minutes < 1 ? say("{time} s left", { time: Math.ceil(progress.seconds_left) })
        : minutes < 90 ? say("{time} min left", { time: Math.ceil(minutes) })
          : say("{time} h left", { time: (minutes / 60).toFixed(1) }));
  }
  $("speed").textContent = parts.join(" · ");
}

function setNeighbour(button, index) {
  const none = index < 0 || index >= total();
  button.className = none ? "none" : "";
  button.replaceChildren();
  if (none) return;
  get(index).then((item) => {
    if (shown.index + Number(button.dataset.step) !== index) return;
    const text = document.createElement("span");
    text.className = "text";
    text.dir = "auto";
    text.textContent = item.decision && item.decision.text === null ? say("unusable") : item.shown || "–";
    button.replaceChildren(...(item.image ? [item.image.cloneNode()] : []), text);
  }, () => {});
}

function show(item) {
  shown = item;
  const { decision, kind } = item;
  const unusable = decision !== null && decision.text === null;
  $("crop").className = unusable ? "unusable" : decision ? "settled" : "";
  $("crop").replaceChildren(
    item.image || say("This image cannot be read: {error}.", { error: item.error || say("no answer") }));
  const corrected = decision && !unusable && item.label !== item.shown;
  $("shown-name").textContent = unusable ? say("unusable") : decision ? say("settled")
    : kind === "unlabelled" ? say("read") : say("label");
  if (kind === "differs" && !corrected) setPieces($("shown"), item.marked);
  else $("shown").textContent = item.shown;
  setPieces($("reading"), item.reading);
  $("confidence").textContent = item.error ? "" : `${Math.floor(item.confidence * 1000) / 10} %`;
  $("label").textContent = item.label;
  $("before").hidden = $("before-name").hidden = !corrected || !item.label;
  $("choices").replaceChildren(...item.choices.map((choice, number) => {
    const row = document.createElement("li");
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    const text = document.createElement("span");
    button.type = "button";
    key.textContent = number + 1;
    text.className = "text";
    text.dir = "auto";
    text.textContent = choice;
    button.append(key, " ", text);
    button.addEventListener("click", () => decide(choice));
    row.append(button);
    return row;
  }));
  $("photo").replaceChildren(...(item.photoImage ? [item.photoImage] : []));
  $("place").textContent = `${say("{number} of {total}", { number: item.index + 1, total: total() })} ·`;
  $("path").textContent = item.path;
  if (typed.has(item.index)) openField(typed.get(item.index));
  else closeField();
  tell(unusable ? say("Marked as unusable. Enter takes the text after all.")
    : item.turned ? say("The crop is turned.") : "");
  fetchAhead(item);
  document.querySelectorAll("#around button").forEach(
    (button) => setNeighbour(button, item.index + Number(button.dataset.step)));
  document.body.dataset.shown = `${item.index} ${item.turned}`;
}

function openField(text = shown.shown) {
  field.hidden = false;
  $("shown").hidden = true;
  opened = shown.shown;
  field.value = text;
  field.focus();
  if (text === opened) field.select();
}

function closeField() {
  field.hidden = true;
  $("shown").hidden = false;
  field.blur();
}

function keepTyped() {
  if (!field.hidden && field.value !== opened) typed.set(shown.index, field.value);
  else typed.delete(shown.index);
  sessionStorage.setItem(TYPED, JSON.stringify([...typed]));
}

// Run one step after the other. Keys that are pressed meanwhile wait, and none is lost.
async function during(step) {
  busy = true;
  try {
    await step();
  } catch (error) {
    tell(error.message, true);
  }
  busy = false;
  while (waiting.length && !busy) press(waiting.shift(), true);
}

function decide(text) {
  if (text === "") {
    tell(say("There is no text. Type one, or press Delete if the crop is unusable."), true);
    return;
  }
  const { index, turned, image, photoImage } = shown;
  during(async () => {
    const answer = await ask("decide", { index, text, turned });
    typed.delete(index);
    sessionStorage.setItem(TYPED, JSON.stringify([...typed]));
    fetched.set(index, Promise.resolve({ ...answer.item, image, photoImage }));
    setProgress(answer.progress);
    show(await get(answer.next ?? index));
    if (answer.next === null) tell(say("All crops are settled. Ctrl-C in the terminal writes the labels."));
  });
}

function undo() {
  during(async () => {
    const answer = await ask("undo", {});
    if (answer.index === null) {
      tell(say("There is nothing to undo."));
      return;
    }
    fetched.delete(answer.index);
    setProgress(answer.progress);
    show(await get(answer.index));
    tell(say("The last decision is undone."));
  });
}

function turn() {
  keepTyped();
  during(async () => {
    const item = await load(shown.index, !shown.turned);
    fetched.set(item.index, Promise.resolve(item)); // it stays turned if the person moves on and comes back
    show(item);
  });
}

function move(step) {
  const index = shown.index + step;
  if (index < 0 || index >= total()) return;
  keepTyped();
  during(async () => show(await get(index)));
}

function choose(digit, time) {
  const choice = shown.choices[digit - 1];
  if (choice === undefined) {
    tell(say("Press Tab to type a text that starts with a digit."));
    return;
  }
  chosen = time;
  decide(choice);
}

// Whether a key belongs to a label that somebody types without Tab, and whose first digit was taken for a choice.
function isTypedOn(key, time) {
  const soon = time - chosen < PAUSE;
  typesOn = soon && (typesOn || key.length === 1);
  if (!typesOn || !(key.length === 1 || key === "Enter" || key === "Delete")) return false;
  chosen = time;
  const how = say("Press Tab to type a text that starts with a digit.");
  tell(say("A digit took a text just now: Ctrl+Z undoes that.") + say(" ") + how, true);
  return true;
}

// What a key does. Returns whether the browser should do nothing else with it.
function press({ key, held, repeat, time }, late = false) {
  const typing = !field.hidden;
  if (held) {
    if (key === "ArrowUp") turn();
    else if (key.toLowerCase() === "z" && !(typing && field.value !== opened)) undo();
    else return false;
    return true;
  }
  if (!typing && isTypedOn(key, time)) return true;
  if (key === "Enter") {
    // Nobody sees a space at the end of a label.
    if (!repeat) decide(typing ? field.value.trim() : shown.shown);
  } else if (key === "ArrowUp" || key === "PageUp" || (key === "ArrowLeft" && !typing)) {
    move(-1);
  } else if (key === "ArrowDown" || key === "PageDown" || (key === "ArrowRight" && !typing)) {
    move(1);
  } else if (key === "F1" || (key === "?" && !typing)) {
    $("help").showModal();
  } else if (typing) {
    if (key === "Escape") {
      closeField();
      keepTyped();
    } else if (late && key.length === 1) {
      field.setRangeText(key, field.selectionStart, field.selectionEnd, "end");
      keepTyped();
    } else return false;
  } else if (key === "Tab" || key === "F2") {
    openField();
  } else if (key === "Delete") {
    if (!repeat) decide(null);
  } else if (/^[0-9]$/.test(key)) {
    if (!repeat) choose(Number(key), time);
  } else if ((key.length === 1 && key !== " ") || key === "Dead" || key === "Process") {
    // The text is selected, and the letter replaces it.
    openField();
    if (!late) return false;
    field.value = key;
    keepTyped();
  } else return false;
  return true;
}

document.addEventListener("keydown", (event) => {
  const altGr = event.getModifierState("AltGraph");
  const onButton = event.target instanceof HTMLButtonElement && (event.key === "Enter" || event.key === " ");
  if ($("help").open) {
    if (event.key === "?" || event.key === "F1") $("help").close();
    return;
  }
  if (event.isComposing || onButton || (event.altKey && !altGr) || (event.shiftKey && event.key === "Tab")) return;
  const stroke = {
    key: event.key, held: (event.ctrlKey || event.metaKey) && !altGr, repeat: event.repeat, time: event.timeStamp,
  };
  if (busy) {
    if (!stroke.held || stroke.key.toLowerCase() === "z") event.preventDefault();
    if (!stroke.repeat) waiting.push(stroke);
  } else if (press(stroke)) event.preventDefault();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  // After a click with the mouse, Enter is for the crop again.
  if (button && event.detail > 0) button.blur();
});
$("show-help").addEventListener("click", () => $("help").showModal());
$("close-help").addEventListener("click", () => $("help").close());
document.querySelectorAll("#around button").forEach(
  (button) => button.addEventListener("click", () => busy || move(Number(button.dataset.step))));
field.addEventListener("input", keepTyped);

during(async () => {
  const start = await ask("start");
  setProgress(start.progress);
  history.replaceState(null, "", "/"); // the token is in the cookie
  show(await get(start.index));
});
