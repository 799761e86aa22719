// Asks for one frame after the other, each with where the sliders stand now, and draws it.

const PAUSE_MS = 1000; // before the next try, where there is nothing to show
const OVER_MS = 3000; // what is shown a second, and how old the newest frame is, count over this
const OLD_MS = 1500;
const FULL = 100; // a slider's steps

export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector(".stage");
  // The page runs again for reasons of its own: what moves goes on.
  if (root.dataset.key === data.key) return;
  root.dataset.key = data.key;
  root.classList.toggle("files", data.leader === "files");
  root.classList.toggle("led", data.leader !== "hand");
  const find = (selector) => root.querySelector(selector);
  const alive = () => root.isConnected && root.dataset.key === data.key;

  const hand = drawHand(find, data);
  const bars = drawBars(find(".classes"), data.classes);
  const pace = drawPace(find(".pace"), data.leader);
  const screen = find("canvas").getContext("2d");
  find("canvas").setAttribute("aria-label", "The face as the sensor sees it, from the front.");
  const cover = (words) => {
    find(".veil").textContent = words;
    find(".veil").hidden = !words;
  };
  cover(data.leader === "files" ? "Waiting for the first file …" : "The performer gets ready …");
  // What another visit has left.
  screen.clearRect(0, 0, screen.canvas.width, screen.canvas.height);
  for (const selector of [".asked", ".label", ".error"]) find(selector).textContent = "";
  find(".seen").classList.remove("unusable");

  let number = 0;
  let newest = 0;
  const drawn = [];

  async function show(reply) {
    const facts = JSON.parse(reply.headers.get("Live-Answer"));
    const content = await reply.blob();
    const picture = content.size ? await createImageBitmap(content) : null;
    if (!alive()) return; // another visit has begun meanwhile
    if (picture) {
      screen.drawImage(picture, 0, 0);
      picture.close();
    }
    number = facts.number;
    newest = performance.now();
    drawn.push(newest);
    cover("");
    find(".error").textContent = facts.error ?? "";
    find(".seen").classList.toggle("unusable", facts.error !== null);
    find(".asked").textContent = asked(data.leader, facts.asked);
    say(find(".label"), facts, data.classes);
    bars(facts.shares);
    if (facts.units && data.leader !== "hand") hand.follow(facts.units);
    pace.of(facts);
  }

  function count() {
    const now = performance.now();
    while (drawn.length && drawn[0] < now - OVER_MS) drawn.shift();
    const span = drawn.length > 1 ? drawn[drawn.length - 1] - drawn[0] : 0;
    pace.shown(span ? (1000 * (drawn.length - 1)) / span : 0, newest ? now - newest : 0);
  }

  async function ask() {
    const body = JSON.stringify({ after: number, controls: hand.controls() });
    const reply = await fetch(data.path, { method: "POST", body });
    if (!alive()) return;
    if (reply.status === 200) return await show(reply);
    if (reply.status === 204) return;
    if (reply.status === 409) cover(JSON.parse(reply.headers.get("Live-Answer")).error);
    else if (reply.status === 404) cover("This visit is over; load the page again.");
    else cover("The server does not answer as it should; load the page again.");
    await pause();
  }

  async function run() {
    while (alive()) {
      if (document.hidden) {
        await pause();
        continue;
      }
      try {
        await ask();
      } catch {
        cover("The server does not answer; is it still running?");
        await pause();
      }
      count();
    }
  }
  run();
  return () => {
    delete root.dataset.key;
  };
}

const pause = () => new Promise((done) => setTimeout(done, PAUSE_MS));

function asked(leader, words) {
  if (!words) return "";
  return leader === "files" ? words : `The performer was asked to show: ${words}`;
}

function say(element, facts, classes) {
  if (facts.error !== null) return;
  const highest = Math.max(...facts.shares);
  const best = classes[facts.shares.indexOf(highest)];
  const words = facts.label === best ? best : `unsure, perhaps ${best}`;
  // Words that are the same again are not to be read aloud again.
  if (element.textContent !== words) element.textContent = words;
}

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  Object.assign(element, attributes);
  element.append(...children);
  return element;
}

function drawBars(list, classes) {
  const rows = classes.map((name) => {
    const fill = make("i");
    const share = make("span", { className: "share" });
    const row = make("li", {}, make("span", { textContent: name }), make("span", { className: "bar" }, fill), share);
    return { row, fill, share };
  });
  list.replaceChildren(...rows.map(({ row }) => row));
  return (shares) => {
    const highest = Math.max(...shares);
    rows.forEach(({ row, fill, share }, index) => {
      if (!shares.length) return;
      fill.style.width = `${100 * shares[index]}%`;
      share.textContent = `${Math.round(100 * shares[index])} %`;
      row.classList.toggle("best", shares[index] === highest);
    });
  };
}

function drawPace(list, leader) {
  const entries = [
    ["recognised", "a second"],
    ["late by", `ms from ${{ hand: "slider", movement: "movement", files: "file" }[leader]} to answer`],
    ["shown", "a second"],
  ];
  const values = entries.map(([name, unit]) => {
    const value = make("b", { textContent: "–" });
    return { value, row: make("div", {}, make("dt", { textContent: name }), make("dd", {}, value, ` ${unit}`)) };
  });
  const age = make("div", { className: "age" });
  list.replaceChildren(...values.map(({ row }) => row), age);
  return {
    of(facts) {
      values[0].value.textContent = facts.answers_a_second.toFixed(1);
      values[1].value.textContent = facts.latency_ms;
    },
    shown(rate, age_ms) {
      values[2].value.textContent = rate.toFixed(1);
      if (age_ms > OVER_MS) values[0].value.textContent = "0.0";
      age.textContent = age_ms > OLD_MS ? `The last frame came ${Math.round(age_ms / 1000)} s ago.` : "";
    },
  };
}

function drawHand(find, data) {
  const start = data.controls;
  const led = data.leader !== "hand";
  const chips = data.emotions.map((emotion) => {
    const input = make("input", { type: "radio", name: "emotion", value: emotion, checked: emotion === start.emotion });
    return { input, chip: make("label", {}, input, make("span", { textContent: emotion })) };
  });
  find(".chips").replaceChildren(...chips.map(({ chip }) => chip));

  const intensity = slider("intensity", "", 0, FULL, FULL * start.intensity, (value) => `${value} %`);
  const yaw = slider("turn the head", "", -data.most_yaw, data.most_yaw, start.yaw_deg, (value) => `${value}°`);
  const pitch = slider("nod", "", -data.most_pitch, data.most_pitch, start.pitch_deg, (value) => `${value}°`);
  find(".main").replaceChildren(intensity.row, yaw.row, pitch.row);

  const units = {};
  const groups = data.units.map(([title, members]) => {
    const rows = members.map(([unit, words]) => {
      units[unit] = slider(words, unit, 0, FULL, FULL * (start.units[unit] ?? 0), (value) => `${value}`);
      units[unit].input.disabled = led;
      return units[unit].row;
    });
    return make("div", { className: "group" }, make("p", { className: "title", textContent: title }), ...rows);
  });
  find(".units").replaceChildren(...groups);
  find(".rest").onclick = () => {
    chips[0].input.checked = true;
    for (const one of [yaw, pitch, ...Object.values(units)]) one.set(0);
  };
  return {
    controls() {
      if (led) return start;
      const raised = Object.entries(units).filter(([, one]) => one.value() > 0);
      return {
        emotion: chips.find(({ input }) => input.checked).input.value,
        intensity: intensity.value() / FULL,
        units: Object.fromEntries(raised.map(([unit, one]) => [unit, one.value() / FULL])),
        yaw_deg: yaw.value(),
        pitch_deg: pitch.value(),
      };
    },
    follow(strengths) {
      for (const [unit, one] of Object.entries(units)) one.set(Math.min(FULL, Math.round(FULL * strengths[unit])));
    },
  };
}

function slider(words, code, least, most, start, write) {
  const input = make("input", { type: "range", min: least, max: most, step: 1, value: Math.round(start) });
  const output = make("output");
  const name = make("span", { className: "name", textContent: words });
  if (code) name.append(make("small", { textContent: code }));
  const update = () => {
    output.textContent = write(input.value);
    const [from, to] = [Math.max(least, 0), Number(input.value)].sort((a, b) => a - b);
    input.style.setProperty("--from", `${(100 * (from - least)) / (most - least)}%`);
    input.style.setProperty("--to", `${(100 * (to - least)) / (most - least)}%`);
    input.setAttribute("aria-valuetext", write(input.value));
  };
  input.oninput = update;
  update();
  return {
    input,
    row: make("label", { className: "slider" }, name, input, output),
    value: () => Number(input.value),
    set(value) {
      if (Number(input.value) === value) return;
      input.value = value;
      update();
    },
  };
}
