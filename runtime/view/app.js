// The live view: requests the state twice a second, and frames as fast as it can draw them. No library, no request to another origin.
const $ = (id) => document.getElementById(id);
const GOOD = ["live", "ended"], CALM = ["waiting", "paused"];
const STATE_TEXT = {
  waiting: "waiting for the first frame", lost: "connection lost, reconnecting", stalled: "no frames arrive", frozen: "the image does not change",
  failed: "failed", paused: "paused", ended: "ended",
};
const HISTORY = 240, POLL_MS = 500, MAX_REQUESTS = 4; // a browser opens at most six connections to a server
const cards = new Map(); // camera name -> its elements and points
let tick = 0, lastEvent = 0, state = null, dragging = -Infinity;

// ---- requests

async function request(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, { ...options, signal: AbortSignal.timeout(5000) });
  if (answer.status === 401 && path !== "api/login") showLogin();
  if (!answer.ok) throw Object.assign(new Error((await answer.json()).error), { status: answer.status });
  return answer;
}

async function poll() {
  for (;;) {
    try {
      update(await (await request(`api/state?tick=${tick}&event=${lastEvent}`)).json());
      showOffline(false);
    } catch (error) {
      showOffline(error.status !== 401);
    }
    await pause(document.hidden ? 2000 : POLL_MS);
  }
}

function showOffline(offline) {
  $("offline").hidden = !offline;
  document.body.classList.toggle("offline", offline);
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function change(changes) {
  try {
    state.controls = await (await request("api/controls", changes)).json();
    $("problem").textContent = "";
    showControls();
  } catch (error) {
    $("problem").textContent = error.message;
  }
}

function showLogin() {
  $("login").hidden = false;
  $("page").hidden = true;
  if (document.activeElement === document.body) $("token").focus();
}

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await request("api/login", { token: $("token").value });
    location.reload();
  } catch (error) {
    $("wrong").textContent = error.message;
  }
});

// ---- the state

function update(fresh) {
  if (fresh.tick < tick) return location.reload(); // a new run answers
  state = fresh;
  tick = fresh.tick;
  $("login").hidden = true;
  $("page").hidden = false;
  text($("title"), fresh.title === "edgecnn" ? "" : fresh.title);
  document.title = `${fresh.title || "edgecnn"} live`;
  text($("uptime"), `running ${duration(fresh.uptime_s)}`);
  showHealth();
  showCameras();
  showControls();
  showNumbers();
  showSinks();
  showEvents();
  if (fresh.problem) text($("problem"), fresh.problem);
}

function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

function showHealth() {
  const all = state.cameras.length, live = state.cameras.filter((camera) => camera.state === "live").length;
  const kind = { ok: "good", degraded: "warn", down: "bad" }[state.health];
  const drifted = state.cameras.filter((camera) => camera.drift?.state === "drifted").length;
  const told = !all ? "no cameras" : all === 1 ? state.cameras[0].state : `${live} of ${all} cameras live`;
  text($("health"), told + (!drifted ? "" : all === 1 ? " · drift" : ` · ${drifted} with drift`));
  $("health").className = drifted && kind === "good" ? "warn" : kind;
}

function showCameras() {
  for (const [name, card] of cards) if (!state.cameras.some((camera) => camera.name === name)) { card.root.remove(); card.gone = true; cards.delete(name); }
  for (const camera of state.cameras) showCamera(camera, cards.get(camera.name) ?? newCard(camera));
  const names = [...cards.keys()];
  if (names.join("\n") !== [...$("which").options].map((option) => option.value).join("\n")) {
    $("which").replaceChildren(...names.map((name) => new Option(name || "camera", name)));
  }
}

function newCard(camera) {
  const root = $("camera").content.firstElementChild.cloneNode(true), find = (selector) => root.querySelector(selector);
  const card = { root, canvas: find("canvas"), cover: find(".cover"), badge: find(".badge"), summary: find(".summary"), counts: find(".counts"), drift: find(".drift"), rates: find(".rates"),
    pause: find(".pause"), large: find(".large"), points: [], number: 0, seen: true, gone: false, state: "" };
  text(find("h3"), camera.name || state.title || "camera");
  card.pause.addEventListener("click", () => change({ camera: camera.name, paused: card.pause.ariaPressed !== "true" }));
  card.large.addEventListener("click", () => {
    const on = card.large.ariaPressed !== "true";
    for (const other of cards.values()) { other.large.ariaPressed = on && other === card; other.root.classList.toggle("wide", on && other === card); }
    if (on) { $("which").value = camera.name; showNumbers(); }
  });
  new IntersectionObserver(([entry]) => { card.seen = entry.isIntersecting; }, { rootMargin: "100px" }).observe(root);
  cards.set(camera.name, card);
  $("cameras").append(root);
  watch(camera.name, card);
  return card;
}

function showCamera(camera, card) {
  card.state = camera.state;
  card.points = [...card.points, ...camera.points].slice(-HISTORY);
  card.large.hidden = state.cameras.length < 2;
  text(card.badge, camera.state);
  card.badge.className = `badge ${GOOD.includes(camera.state) ? "good" : CALM.includes(camera.state) ? "warn" : "bad"}`;
  const stopped = camera.state !== "live";
  card.canvas.classList.toggle("old", stopped);
  text(card.cover, stopped ? [STATE_TEXT[camera.state] ?? camera.state, camera.detail].filter(Boolean).join("\n") : "");
  card.canvas.ariaLabel = `Video of ${camera.name || "the camera"}: ${camera.summary || "no objects"}`;
  text(card.summary, stopped ? "" : camera.summary || "no objects");
  text(card.counts, camera.counts.join(" · "));
  card.summary.title = camera.summary;
  showDrift(card.drift, camera.drift);
  const parts = [["", rate(camera.processed_fps), " frames/s"], ["age ", ms(camera.age_ms.p50), " ms"], ["p99 ", ms(camera.age_ms.p99), " ms"]];
  if (camera.ledger.dropped) parts.push(["dropped ", percent(camera.ledger.dropped, camera.ledger.captured), ""]);
  card.rates.replaceChildren(...parts.flatMap(([before, value, after], place) => [place ? " · " + before : before, bold(value), after]));
}

function showDrift(element, drift) { // null where the run does not watch for it
  element.hidden = !drift;
  if (!drift) return;
  element.classList.toggle("warn", drift.state === "drifted");
  const { lines } = drift, about = `compared with ${drift.reference}`;
  const told = lines.length > 1 ? ["drift:", ...lines.slice(0, 4), ...(lines.length > 4 ? [`and ${lines.length - 4} more`] : [])] : [drift.text];
  text(element, drift.state === "normal" ? `${drift.text}, ${about}` : told.join("\n"));
  element.title = about;
}

function bold(value) {
  const element = document.createElement("b");
  element.textContent = value;
  return element;
}

const ms = (value) => value === null ? "–" : value < 10 ? value.toFixed(1) : value.toFixed(0);
const rate = (value) => value === null ? "–" : value < 100 ? value.toFixed(1) : value.toFixed(0);
const percent = (part, all) => all ? `${(100 * part / all).toFixed(part && part / all < 0.1 ? 1 : 0)} %` : "–";
const whole = (value) => value.toLocaleString("en");

function duration(seconds) {
  const s = Math.floor(seconds), [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min ${s % 60} s` : `${s} s`;
}

// ---- frames: each camera requests its next frame after drawing the last; a slow browser skips frames, and nothing queues

let busy = 0;
async function watch(name, card) {
  const context = card.canvas.getContext("2d");
  while (!card.gone) {
    const still = card.number && !["live", "waiting"].includes(card.state);
    if (document.hidden || !card.seen || still || busy >= MAX_REQUESTS) { await pause(still ? 300 : 30); continue; }
    busy += 1;
    try {
      const answer = await request(`api/frame?camera=${encodeURIComponent(name)}&after=${card.number}`);
      if (answer.status === 200) {
        const image = await createImageBitmap(await answer.blob());
        if (card.canvas.width !== image.width || card.canvas.height !== image.height) Object.assign(card.canvas, { width: image.width, height: image.height });
        context.drawImage(image, 0, 0);
        image.close();
        card.number = Number(answer.headers.get("x-frame-number"));
        card.canvas.dataset.number = card.number;
      } else await pause(100);
    } catch {
      card.number = 0;
      await pause(1000);
    } finally {
      busy -= 1;
    }
  }
}

// ---- controls

function showControls() {
  const { scored, score_threshold, by_class, floor, labels, only, paused } = state.controls;
  for (const [name, card] of cards) {
    card.pause.ariaPressed = paused.includes(name);
    text(card.pause, paused.includes(name) ? "Resume" : "Pause");
    card.pause.ariaLabel = `${card.pause.textContent} ${name}`;
  }
  if (performance.now() - dragging > 1000) {
    $("score").min = floor;
    $("score").value = score_threshold;
    text($("score-value"), by_class ? "by class" : score_threshold.toFixed(2));
  }
  $("filter").hidden = labels.length < 2;
  $("threshold").hidden = !scored;
  $("controls").hidden = !scored && labels.length < 2;
  $("search").hidden = labels.length < 20;
  const buttons = [...$("classes").children];
  if (buttons.map((button) => button.textContent).join("\n") !== labels.join("\n")) $("classes").replaceChildren(...labels.map(chip));
  for (const button of $("classes").children) button.ariaPressed = only.includes(button.textContent);
}

function chip(label) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.addEventListener("click", () => {
    const chosen = state.controls.only;
    change({ only: chosen.includes(label) ? chosen.filter((one) => one !== label) : [...chosen, label] });
  });
  return button;
}

$("all").addEventListener("click", () => change({ only: null }));
$("none").addEventListener("click", () => change({ only: [] }));
$("search").addEventListener("input", () => {
  const searched = $("search").value.trim().toLowerCase();
  for (const button of $("classes").children) button.hidden = !button.textContent.toLowerCase().includes(searched);
});
$("score").addEventListener("input", () => {
  dragging = performance.now();
  text($("score-value"), Number($("score").value).toFixed(2));
  clearTimeout($("score").timer);
  $("score").timer = setTimeout(() => change({ score_threshold: Number($("score").value) }), 60);
});
$("which").addEventListener("change", showNumbers);

// ---- numbers and charts

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function showNumbers() {
  const camera = state.cameras.find((one) => one.name === $("which").value) ?? state.cameras[0];
  $("which").hidden = document.querySelector("label[for=which]").hidden = state.cameras.length < 2;
  if (!camera) return;
  const { points } = cards.get(camera.name);
  const budget = camera.max_age_ms;
  legend("age", [["median", ms(camera.age_ms.p50), "--c0"], ["p99", ms(camera.age_ms.p99), "--c1"], ...(budget ? [["limit", `${budget}, exceeded ${whole(camera.late)} times`, "--c4"]] : [])]);
  chart($("age"), points, [{ of: (point) => point.age_ms[1], color: "--c1" }, { of: (point) => point.age_ms[0], color: "--c0" }], { budget });
  const stages = Object.keys(camera.stage_ms);
  legend("stages", stages.map((name, place) => [name, ms(camera.stage_ms[name].p50), `--c${place % 7}`]));
  const below = stages.map((_, place) => ({ of: (point) => stages.slice(0, place + 1).reduce((sum, name) => sum + (point.stage_ms[name] ?? 0), 0), color: `--c${place % 7}`, filled: true }));
  chart($("stages"), points, below.reverse(), { gap: (point) => point.age_ms[0] === null });
  showLedger(camera.ledger);
}

function legend(id, entries) {
  const items = entries.map(([name, value, tone]) => {
    const item = document.createElement("span"), key = document.createElement("i");
    key.className = "key";
    key.style.background = `var(${tone})`;
    item.append(key, `${name} `, bold(value));
    return item;
  });
  $(id === "ledger" ? id : `${id}-legend`).replaceChildren(...items);
  if ($(id).tagName === "CANVAS") $(id).ariaLabel = `Chart of the last two minutes; now ${entries.map(([name, value]) => `${name} ${value}`).join(", ")} milliseconds`;
}

function chart(canvas, points, series, { budget = null, gap = () => false }) {
  const ratio = devicePixelRatio, w = canvas.clientWidth, h = canvas.clientHeight, left = 44, bottom = 16, top = 6;
  if (!w) return;
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) Object.assign(canvas, { width: Math.round(w * ratio), height: Math.round(h * ratio) });
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, w, h);
  const highest = points.map((point) => Math.max(0, ...series.map(({ of }) => of(point) ?? 0))).sort((a, b) => a - b);
  const usual = 3 * (highest[Math.floor(highest.length * 0.9)] ?? 1); // one outlier must not flatten the rest, it is cut off at the top
  const most = nice(Math.max(1, budget ? 1.2 * budget : 0, Math.min(highest.at(-1) ?? 1, usual)));
  const x = (point) => w - (tick - point.tick) * (w - left) / (HISTORY - 1), y = (value) => top + (1 - Math.min(value / most, 1)) * (h - top - bottom);
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = color("--faint");
  pen.strokeStyle = color("--line");
  pen.lineWidth = 1;
  for (const value of [0, most / 2, most]) {
    pen.textAlign = "right";
    pen.fillText(Number(value.toPrecision(3)) + (value === most && highest.at(-1) > most ? "+" : ""), left - 6, y(value) + 4);
    line(pen, [[left, y(value)], [w, y(value)]]);
  }
  pen.textAlign = "left";
  pen.fillText(`${Math.round(HISTORY * state.interval_s / 60)} min ago`, left, h - 2);
  pen.textAlign = "right";
  pen.fillText("now", w - 1, h - 2);
  pen.lineWidth = 1.8;
  for (const { of, color: tone, filled } of series) {
    pen.strokeStyle = pen.fillStyle = color(tone);
    for (const segment of segments(points, (point) => of(point) === null || gap(point))) {
      const path = segment.map((point) => [x(point), y(of(point))]);
      if (filled) { line(pen, [[path[0][0], y(0)], ...path, [path.at(-1)[0], y(0)]], true); } else line(pen, path);
    }
  }
  if (budget) { pen.setLineDash([5, 4]); pen.strokeStyle = color("--c4"); line(pen, [[left, y(budget)], [w, y(budget)]]); pen.setLineDash([]); }
}

function* segments(points, missing) { // split at gaps of more than three seconds
  let segment = [];
  for (const point of points) {
    if (missing(point)) continue;
    if (segment.length && point.tick - segment.at(-1).tick > 6) { yield segment; segment = []; }
    segment.push(point);
  }
  if (segment.length) yield segment;
}

function line(pen, path, filled = false) {
  pen.beginPath();
  pen.lineCap = "round";
  pen.moveTo(...path[0]);
  for (const [x, y] of path) pen.lineTo(x, y);
  if (filled) pen.fill(); else pen.stroke();
}

function nice(value) { // the next round number whose half is round, too
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].find((step) => step * power >= value) * power;
}

function showLedger(ledger) {
  const parts = [["processed", "--c2"], ["dropped", "--c1"], ["skipped", "--c0"], ["failed", "--c4"], ["in flight", "--c5"]];
  const counts = parts.map(([name, tone]) => [name, ledger[name.replace(" ", "_")] ?? 0, tone]).filter(([name, value]) => value || name === "processed");
  $("ledger-bar").replaceChildren(...counts.map(([, value, tone]) => {
    const part = document.createElement("i");
    Object.assign(part.style, { background: `var(${tone})`, flexGrow: value });
    return part;
  }));
  legend("ledger", counts.map(([name, value, tone]) => [name, whole(value), tone]));
  $("ledger").prepend(`${whole(ledger.captured)} captured =`);
}

// ---- outputs and events

function showSinks() {
  $("outputs").hidden = !state.sinks.length;
  $("sinks").replaceChildren(...state.sinks.map((sink) => {
    const item = document.createElement("li"), row = document.createElement("div"), badge = document.createElement("span"), more = document.createElement("p");
    row.className = "row";
    badge.className = `badge ${{ working: "good", closed: "warn" }[sink.state] ?? "bad"}`;
    badge.textContent = sink.state;
    row.append(bold(sink.name), badge);
    const counts = ["written", "dropped", "failed"].filter((name) => sink[name] || name === "written").map((name) => `${name} ${whole(sink[name])}`);
    more.textContent = [counts.join(" · "), sink.detail].filter(Boolean).join(": ");
    item.append(row, more);
    return item;
  }));
}

function detail([key, value]) {
  const unit = /_(ms|s)$/.exec(key);
  const shown = typeof value === "object" ? JSON.stringify(value) : value;
  return ` ${(unit ? key.slice(0, unit.index) : key).replaceAll("_", " ")} ${shown}${unit ? ` ${unit[1]}` : ""}`;
}

function showEvents() {
  for (const event of state.events) {
    lastEvent = event.number;
    const item = document.createElement("li"), when = document.createElement("time"), what = document.createElement("span"), more = document.createElement("span");
    const at = new Date(event.unix_time_s * 1000);
    when.dateTime = at.toISOString();
    when.textContent = at.toLocaleTimeString("en-GB");
    more.className = "more";
    more.textContent = event.details.text ? ` ${event.details.text}` : Object.entries(event.details).map(detail).join(",");
    what.append([state.cameras.length > 1 ? event.camera : "", event.kind.replaceAll("-", " ")].filter(Boolean).join(": "), more);
    item.append(when, what);
    $("events").prepend(item);
  }
  while ($("events").children.length > 200) $("events").lastElementChild.remove();
  if (!$("events").children.length) text($("events"), "no events yet");
  else if ($("events").firstChild.nodeType !== 1 || $("events").lastChild.nodeType !== 1) [...$("events").childNodes].filter((node) => node.nodeType !== 1).forEach((node) => node.remove());
}

poll();
