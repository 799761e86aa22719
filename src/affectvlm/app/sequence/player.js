// Plays a sequence in the browser alone: the server is asked for nothing while it plays.

const PLAY = "M4 2.5v11l9-5.5z";
const PAUSE = "M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z";
const SPEEDS = { "1": "normal", "0.5": "half", "0.25": "quarter" };
const HEIGHT = 100; // of the plot, in its own units: shares in percent

export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector(".player");
  // The page runs again for reasons of its own, such as a download: what plays goes on.
  if (root.dataset.key === data.key) return;
  root.stop?.();
  root.dataset.key = data.key;

  const find = (selector) => root.querySelector(selector);
  const count = data.labels.length;
  const images = data.pictures.map((packed) => {
    if (packed === null) return null;
    const image = new Image();
    // A face that was still being decoded when its frame came is drawn as soon as it is there.
    image.onload = () => { if (images[frame] === image) draw(image); };
    image.src = `data:image/webp;base64,${packed}`;
    return image;
  });
  const canvas = find(".face canvas");
  canvas.width = canvas.height = data.size;
  const paint = canvas.getContext("2d");
  const known = data.fps !== null;
  const rate = data.fps ?? data.usual_fps;
  let frame = -1;
  let playing = false;
  let fresh = true; // it shows the apex, but begins at the beginning
  let request = 0;

  const classes = drawClasses(find(".classes"), data.classes);
  drawCourse(find(".plot svg"), data, count);
  drawOver(find(".over"), data, count);
  drawTicks(find(".ticks"), count, known ? rate : null);

  const slider = find(".slider");
  slider.max = count - 1;
  // A slider's thumb is half its width from the end; its middle is to stand below the frame's.
  const half = 50 / count;
  slider.style.marginLeft = `calc(${half}% - 8px)`;
  slider.style.width = `calc(${100 - 2 * half}% + 16px)`;

  const phases = ["onset", "apex", "offset"].filter((name) => data[name] !== null);
  drawMarks(find(".marks"), phases, data, count);
  const jumps = find(".jumps");
  jumps.replaceChildren(
    ...phases.map((name) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `${name[0].toUpperCase()}${name.slice(1)} ${moment(data[name])}`;
      button.title = `Show the ${name}`;
      button.onclick = () => { pause(); show(data[name]); };
      return button;
    }),
  );

  const speed = find(".speed select");
  speed.replaceChildren(...Object.keys(SPEEDS).sort().reverse().map((value) => new Option(SPEEDS[value], value)));
  const play = find(".play");
  play.onclick = () => (playing ? pause() : start());
  speed.onchange = () => { if (playing) start(); };
  slider.oninput = () => { pause(); show(Number(slider.value)); };
  const plot = find(".plot");
  const seek = (event) => {
    const box = plot.getBoundingClientRect();
    pause();
    show(Math.floor(((event.clientX - box.left) / box.width) * count));
  };
  plot.onpointerdown = (event) => { plot.setPointerCapture(event.pointerId); seek(event); };
  plot.onpointermove = (event) => { if (event.buttons === 1) seek(event); };

  function moment(number) {
    return known ? `${(number / rate).toFixed(2)} s` : `frame ${number}`;
  }

  function start() {
    cancelAnimationFrame(request);
    const from = fresh || frame >= count - 1 ? 0 : frame;
    fresh = false;
    const began = performance.now();
    const pace = (rate * Number(speed.value)) / 1000;
    playing = true;
    button();
    const step = (now) => {
      // By the clock, not by the number of steps: a slow browser leaves frames out, and keeps the time.
      const next = Math.min(from + Math.floor(Math.max(now - began, 0) * pace), count - 1);
      show(next);
      if (next < count - 1) request = requestAnimationFrame(step);
      else pause();
    };
    request = requestAnimationFrame(step);
  }

  function pause() {
    cancelAnimationFrame(request);
    playing = fresh = false;
    button();
  }

  function button() {
    play.querySelector("path").setAttribute("d", playing ? PAUSE : PLAY);
    play.querySelector("span").textContent = playing ? "Pause" : frame >= count - 1 ? "Again" : "Play";
  }

  function draw(image) {
    paint.clearRect(0, 0, data.size, data.size);
    if (image?.complete) paint.drawImage(image, 0, 0, data.size, data.size);
  }

  function show(number) {
    const next = Math.max(0, Math.min(number, count - 1));
    if (next === frame) return;
    frame = next;
    const shares = data.shares[frame];
    const label = data.labels[frame];
    draw(images[frame]);
    find(".face").classList.toggle("unusable", label === null);
    find(".label").textContent = label === null ? "no answer" : label;
    find(".when").textContent =
      `frame ${frame + 1} of ${count}` + (known ? `, ${moment(frame)} of ${((count - 1) / rate).toFixed(2)} s` : "");
    find(".why").hidden = label !== null;
    find(".why").textContent = data.errors[frame] ?? "";
    classes.forEach(({ bar, share }, index) => {
      bar.style.transform = `scaleX(${shares ? shares[index] : 0})`;
      share.textContent = shares ? `${Math.round(100 * shares[index])} %` : "–";
    });
    find(".veil").style.transform = `scaleX(${1 - (frame + 1) / count})`;
    find(".head").style.transform = `translateX(${(100 * (frame + 0.5)) / count}%)`;
    slider.value = frame;
    slider.setAttribute("aria-valuetext", `${moment(frame)}: ${label ?? "no answer"}`);
    if (!playing) button();
  }

  root.stop = pause;
  show(data.apex ?? 0);
  button();
  return pause;
}

function drawClasses(list, names) {
  const rows = names.map(({ name, colour }) => {
    const row = document.createElement("li");
    const word = document.createElement("span");
    word.textContent = name;
    const track = document.createElement("span");
    track.className = "bar";
    const bar = document.createElement("i");
    bar.style.background = colour;
    track.append(bar);
    const share = document.createElement("span");
    share.className = "share";
    row.append(word, track, share);
    return { row, bar, share };
  });
  // The list reads as the bands lie: the first class is the lowest band.
  list.replaceChildren(...rows.map(({ row }) => row).reverse());
  return rows;
}

function drawCourse(svg, data, count) {
  svg.setAttribute("viewBox", `0 0 ${count} ${HEIGHT}`);
  svg.setAttribute("aria-label", "Probability of each apparent expression over time, as bands.");
  svg.replaceChildren();
  const add = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    svg.append(element);
  };
  // A step a frame, and nothing where there is no answer.
  const tops = data.shares.map((shares) => {
    let top = 0;
    return shares?.map((share) => (top += share));
  });
  data.classes.forEach(({ colour }, index) => {
    let path = "";
    tops.forEach((top, number) => {
      if (!top) return;
      const [high, low] = [top[index], index ? top[index - 1] : 0].map((value) => (HEIGHT * (1 - value)).toFixed(2));
      path += `M${number} ${low}V${high}h1.02V${low}z`;
    });
    add("path", { d: path, fill: colour });
  });
}

function drawOver(element, data, count) {
  const gaps = Object.entries(data.errors).map(([number, reason]) => {
    const gap = document.createElement("i");
    gap.style.left = `${(100 * number) / count}%`;
    gap.style.width = `${100 / count}%`;
    gap.title = `frame ${Number(number) + 1}: ${reason}`;
    return gap;
  });
  const marks = ["onset", "apex", "offset"].filter((name) => data[name] !== null).map((name) => {
    const mark = document.createElement("b");
    mark.className = name === "apex" ? "" : "side";
    mark.style.left = `${(100 * (data[name] + 0.5)) / count}%`;
    return mark;
  });
  element.replaceChildren(...gaps, ...marks);
}

function drawMarks(element, phases, data, count) {
  const side = { onset: "before", apex: "at", offset: "after" };
  element.replaceChildren(
    ...phases.map((name) => {
      const mark = document.createElement("span");
      mark.className = side[name];
      // Words that would leave the plot stand on the other side of their line.
      if (name === "onset" && data[name] < 0.1 * count) mark.className = "after";
      if (name === "offset" && data[name] > 0.9 * count) mark.className = "before";
      mark.style.left = `${(100 * (data[name] + 0.5)) / count}%`;
      mark.textContent = name;
      return mark;
    }),
  );
}

function drawTicks(element, count, rate) {
  const length = rate === null ? count : count / rate;
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200].find((s) => length / s <= 10 && (rate || s >= 1)) ?? 500;
  const ticks = [];
  for (let at = 0; at <= length - step / 3; at += step) {
    const tick = document.createElement("span");
    tick.style.left = `${(100 * (at * (rate ?? 1) + 0.5)) / count}%`;
    tick.textContent = rate === null ? `${at}` : `${Number(at.toFixed(1))} s`;
    ticks.push(tick);
  }
  element.replaceChildren(...ticks);
}
