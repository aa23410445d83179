"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const one = (query) => document.querySelector(query);
  const all = (query) => [...document.querySelectorAll(query)];
  const plot = one("#plot"), field = one(".field"), wires = one("#wires"), tip = one("#tip");
  const overview = one("#overview"), brush = one("#brush"), ticks = one("#ticks");
  const lanes = new Map(data.lanes.map((lane) => [lane.host, lane]));

  // ── Time. Places are milliseconds, but for folds, in which a long quiet stretch takes little room.
  function place(time) {
    let at = time;
    for (const [from, to] of data.folds) {
      if (time >= to) at -= to - from - data.folded;
      else if (time > from) at -= (time - from) * (1 - data.folded / (to - from));
    }
    return at;
  }
  function timeOf(at) {
    let gone = 0;
    for (const [from, to] of data.folds) {
      const start = from - gone;
      if (at <= start) break;
      if (at < start + data.folded) return from + (at - start) * (to - from) / data.folded;
      gone += to - from - data.folded;
    }
    return at + gone;
  }
  const trimmed = (number, digits) => String(Number(number.toFixed(digits)));
  function words(ms, digits = 3) {
    if (Math.abs(ms) < 10000) return trimmed(ms, digits) + " ms";
    const seconds = ms / 1000;
    if (seconds < 120) return trimmed(seconds, 3) + " s";
    const whole = Math.round(seconds), parts = [];
    for (const [amount, unit] of [[Math.floor(whole / 3600), "h"], [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"]]) {
      if (amount) parts.push(amount + " " + unit);
    }
    return parts.join(" ");
  }
  const bytes = (count) => count === 1 ? "1 byte" : count + " bytes";

  // ── What there is to draw.
  const packets = data.packets.map((row) => {
    const [at, travels, from, to, toward, way, sort, size, ends, rest, lost, count = 1, lasts = 0] = row;
    const a = place(at), z = travels < 0 ? a : place(at + travels);
    const label = data.texts[rest];
    const isBare = size === 0 && count === 1 && !/SYN|FIN|RST|ICMP/.test(label);
    return { kind: "packet", at, travels, from, to, toward, way, isStream: (sort & 1) === 1, isDouble: sort > 1, size, ends, label, lost, count, lasts, a, z, b: place(at + lasts), isBare };
  });
  const marks = data.marks.map(([at, host, look, text]) => ({ kind: "mark", at, host, look, text: data.texts[text], a: place(at) }));
  const bands = all(".band").map((element) => ({ element, a: place(+element.dataset.a), b: place(+element.dataset.b) }));
  const flags = all(".flag").map((element) => ({ element, a: place(+element.dataset.a), width: element.offsetWidth }));
  // What is broken is placed first, so that it is the last to be shortened.
  flags.sort((one, other) => other.element.classList.contains("violation") - one.element.classList.contains("violation"));
  const end = Math.max(place(data.end), 1);
  const gaps = data.folds.map(([from, to]) => ({ a: place(from), b: place(to), time: to - from }));
  const longest = packets.reduce((most, packet) => Math.max(most, packet.z - packet.a, packet.b - packet.a), 0);

  // ── The view: the part of time that is seen.
  const room = (a, b) => { const more = (b - a) * 0.025; return [a - more, b + more]; };
  let view = room(place(data.view[0]), place(data.view[1]));
  let colours = {}, drawn = [], chosen = null, wanted = false, width = 1;
  const x = (at) => (at - view[0]) / (view[1] - view[0]) * width;
  function show(a, b) {
    const least = 0.5, most = end * 1.05 + 20;
    let span = Math.min(Math.max(b - a, least), most);
    let from = (a + b - span) / 2;
    from = Math.max(-span * 0.04, Math.min(from, end + span * 0.04 - span));
    if (span >= end * 1.03) from = (end - span) / 2;
    view = [from, from + span];
    draw();
  }
  const zoom = (factor, around = (view[0] + view[1]) / 2) => show(around + (view[0] - around) * factor, around + (view[1] - around) * factor);
  const move = (by) => show(view[0] + by, view[1] + by);
  function draw() {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => { wanted = false; drawAll(); });
  }
  function canvas(element) {
    const scale = window.devicePixelRatio || 1, box = element.getBoundingClientRect();
    const [w, h] = [Math.round(box.width * scale), Math.round(box.height * scale)];
    if (element.width !== w || element.height !== h) { element.width = w; element.height = h; }
    const pen = element.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, box.width, box.height);
    return [pen, box.width, box.height];
  }
  function readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["ink", "soft", "faint", "line", "sheet", "direct", "proxied", "onward", "other", "trial", "lost", "ok", "fault"]) {
      colours[name] = style.getPropertyValue("--" + name).trim();
    }
    colours.ways = [colours.direct, colours.proxied, colours.onward, colours.other];
    colours.marks = { trial: colours.trial, direct: colours.direct, proxied: colours.proxied, bad: colours.lost, violation: colours.lost, app: colours.ink, name: colours.soft, relay: colours.proxied, retry: colours.soft, net: colours.ink, flow: colours.soft };
  }
  function drawAll() {
    const box = field.getBoundingClientRect();
    width = box.width;
    const [pen, w, h] = canvas(wires);
    drawTicks(pen, h);
    placeBands(w);
    placeFlags(w);
    drawGaps(pen, w, h);
    drawPackets(pen, w);
    drawMarks(pen, w);
    drawOverview();
    if (chosen) highlight(pen, chosen);
  }

  // ── The axis: round steps, and nothing within a fold.
  function drawTicks(pen, h) {
    const least = (view[1] - view[0]) * 92 / width;
    const steps = [1, 2, 5];
    let step = 0.001;
    for (let power = 0.001; step < least; power *= 10) for (const by of steps) { step = power * by; if (step >= least) break; }
    if (step > 10000) step = [15000, 30000, 60000, 120000, 300000, 600000, 1800000, 3600000].find((round) => round >= least) || 7200000;
    const labels = [];
    let from = view[0];
    const stretches = [];
    for (const gap of gaps) { if (gap.b > from && gap.a < view[1]) { if (gap.a > from) stretches.push([from, gap.a]); from = gap.b; } }
    if (from < view[1]) stretches.push([from, view[1]]);
    pen.strokeStyle = colours.faint; pen.lineWidth = 1;
    pen.beginPath();
    let last = -1e9;
    for (const [a, b] of stretches) {
      const [start, stop] = [timeOf(Math.max(a, 0) + 1e-9), timeOf(Math.min(b, end) - 1e-9)];
      for (let n = Math.ceil(start / step - 1e-6); n * step <= stop + 1e-6; n++) {
        const time = n * step, at = x(place(time));
        if (at < last + 80 || at > width - 44) continue;
        last = at;
        labels.push([at, tickWords(time, step)]);
        pen.moveTo(Math.round(at) + 0.5, 0); pen.lineTo(Math.round(at) + 0.5, h);
      }
    }
    pen.stroke();
    while (ticks.children.length < labels.length) ticks.append(document.createElement("span"));
    [...ticks.children].forEach((element, index) => {
      const label = labels[index];
      element.hidden = !label;
      if (label) { element.textContent = label[1]; element.style.transform = `translateX(${label[0].toFixed(1)}px)`; }
    });
  }
  function tickWords(time, step) {
    if (time === 0) return "0";
    if (step < 1000 && time < 10000) return words(time);
    if (time < 120000) return trimmed(time / 1000, 3) + " s";
    const whole = Math.floor(time / 1000 + 1e-6), two = (number) => String(number).padStart(2, "0");
    const part = step < 1000 ? trimmed(time / 1000 - whole, 3).slice(1) : "";
    return (whole >= 3600 ? Math.floor(whole / 3600) + ":" + two(Math.floor(whole / 60) % 60) : Math.floor(whole / 60)) + ":" + two(whole % 60) + part;
  }
  function drawGaps(pen, w, h) {
    for (const gap of gaps) {
      const [l, r] = [x(gap.a), x(gap.b)];
      if (r < 0 || l > w || r - l < 2) continue;
      pen.fillStyle = colours.faint; pen.globalAlpha = 0.75;
      pen.fillRect(l, 0, r - l, h);
      pen.globalAlpha = 1; pen.strokeStyle = colours.line; pen.lineWidth = 1;
      for (const edge of [l, r]) {
        pen.beginPath();
        for (let y = 0; y <= h; y += 7) pen.lineTo(edge + (y / 7 % 2 ? 3 : -3), y);
        pen.stroke();
      }
      if (r - l > 20) {
        pen.save(); pen.translate((l + r) / 2, h - 14); if (r - l < 110) { pen.translate(4, 0); pen.rotate(-Math.PI / 2); pen.textAlign = "left"; } else pen.textAlign = "center";
        pen.fillStyle = colours.soft; pen.font = "11px system-ui, sans-serif"; pen.fillText(words(gap.time) + " quiet", 0, 0); pen.restore();
      }
    }
  }

  // ── What lasts: cut to the view, so that a label is seen for as long as its band is.
  function placeBands(w) {
    for (const band of bands) {
      const l = Math.max(x(band.a), -2), r = Math.min(x(band.b), w + 6), style = band.element.style;
      if (r < -4 || l > w) { if (!band.hidden) { band.hidden = true; style.display = "none"; } continue; }
      if (band.hidden !== false) { band.hidden = false; style.display = ""; }
      style.left = l.toFixed(1) + "px"; style.width = Math.max(r - l, 1).toFixed(1) + "px";
    }
  }
  function placeFlags(w) {
    const rows = [-1e9, -1e9];
    for (const flag of flags) {
      const at = x(flag.a), { classList, style } = flag.element;
      const seen = at >= -1 && at <= w + 1;
      style.display = seen ? "" : "none";
      if (!seen) continue;
      const left = at + flag.width > w;
      const [from, to] = left ? [at - flag.width, at] : [at, at + flag.width];
      let row = rows.findIndex((free) => free <= from);
      const short = row < 0;
      if (short) row = rows[0] <= rows[1] ? 0 : 1;
      rows[row] = Math.max(rows[row], short ? at + 10 : to + 4);
      classList.toggle("left", left && !short); classList.toggle("short", short);
      style.left = left && !short ? "auto" : at.toFixed(1) + "px";
      style.right = left && !short ? (w - at).toFixed(1) + "px" : "auto";
      style.top = 5 + row * 26 + "px";
    }
  }

  // ── Packets: one by one, or in sheaves where they would hide each other.
  function ends(packet) {
    const from = lanes.get(packet.from), to = lanes.get(packet.to >= 0 ? packet.to : packet.toward);
    if (!from) return null;
    const down = to ? Math.sign(to.y - from.y) || 1 : from.far > from.y ? 1 : from.far ? -1 : 1;
    const outwards = !from.far || (from.near > from.y) === (down > 0);
    if (packet.travels >= 0 && to) return [from.y, to.y];
    if (packet.to >= 0 && to) return [from.y, to.far ? to.far - down * 4 : to.y - down * 13];
    return [from.y, from.far && outwards ? from.near - down * 8 : from.y + down * 18];
  }
  function seen() {
    const found = [], [from, to] = [view[0] - longest, view[1]];
    let low = 0, high = packets.length;
    while (low < high) { const middle = (low + high) >> 1; if (packets[middle].a < from) low = middle + 1; else high = middle; }
    for (; low < packets.length && packets[low].a <= to; low++) if (Math.max(packets[low].z, packets[low].b) >= view[0]) found.push(packets[low]);
    return found;
  }
  function sheaves(found) {
    const grain = (view[1] - view[0]) * 3 / width, table = new Map();
    for (const packet of found) {
      const key = [Math.floor(packet.a / grain), packet.from, packet.to, packet.toward, packet.lost, packet.isStream].join();
      const known = table.get(key);
      if (!known) table.set(key, { ...packet });
      else { known.count += packet.count; known.size += packet.size; known.lasts = Math.max(known.lasts, packet.at + packet.lasts - known.at); known.isBare = known.isBare && packet.isBare; known.label = ""; }
    }
    return [...table.values()];
  }
  function drawPackets(pen, w) {
    let found = seen();
    if (found.length > 1400) found = sheaves(found);
    drawn = [];
    const crosses = [], labels = [];
    const isRoomy = found.length < 90;
    for (const packet of found) {
      const y = ends(packet);
      if (!y) continue;
      const line = { item: packet, x0: x(packet.a), y0: y[0], x1: x(packet.z), y1: y[1] };
      drawn.push(line);
      pen.strokeStyle = colours.ways[packet.way];
      pen.globalAlpha = packet.isBare ? 0.3 : packet.count > 1 ? 0.85 : found.length > 500 ? 0.55 : 0.85;
      pen.lineWidth = packet.count > 1 ? Math.min(1.2 + Math.log2(packet.count) * 0.45, 5) : packet.isBare ? 1 : 1.4;
      pen.setLineDash(packet.isStream ? [] : [2.5, 2.5]);
      pen.beginPath(); pen.moveTo(line.x0, line.y0); pen.lineTo(line.x1, line.y1); pen.stroke();
      if (packet.travels < 0 || packet.lost) { crosses.push(line); continue; }
      pen.setLineDash([]);
      head(pen, line, packet.isBare ? 4 : 6);
      if (isRoomy && !packet.isBare) labels.push(line);
    }
    nameAll(pen, labels);
    pen.setLineDash([]); pen.globalAlpha = 1; pen.lineCap = "round";
    pen.beginPath();
    for (const { x1, y1 } of crosses) { pen.moveTo(x1 - 3.6, y1 - 3.6); pen.lineTo(x1 + 3.6, y1 + 3.6); pen.moveTo(x1 - 3.6, y1 + 3.6); pen.lineTo(x1 + 3.6, y1 - 3.6); }
    // On a rim of the ground's colour, so that a cross is seen on arrows too.
    for (const [colour, thick] of [[colours.sheet, 4.5], [colours.lost, 1.8]]) { pen.strokeStyle = colour; pen.lineWidth = thick; pen.stroke(); }
    pen.lineCap = "butt";
  }
  function head(pen, { x0, y0, x1, y1 }, size) {
    const turn = Math.atan2(y1 - y0, x1 - x0);
    pen.fillStyle = pen.strokeStyle;
    pen.beginPath(); pen.moveTo(x1, y1);
    for (const side of [2.75, -2.75]) pen.lineTo(x1 + size * Math.cos(turn + side), y1 + size * Math.sin(turn + side));
    pen.fill();
  }
  const short = (packet) => packet.count > 1 ? "×" + packet.count : (/SYN ACK|SYN|FIN|RST|ICMP/.exec(packet.label) || [packet.size + " B"])[0];
  // In the middle of what is seen of the line; packets on one line share a label.
  function nameAll(pen, lines) {
    const table = new Map();
    for (const line of lines) {
      if (line.x1 - line.x0 < 44) continue;
      const key = [Math.round(line.x0 / 3), line.y0, line.y1].join();
      const known = table.get(key);
      if (known) known.texts.push(short(line.item)); else table.set(key, { line, texts: [short(line.item)] });
    }
    for (const { line: { item, x0, y0, x1, y1 }, texts } of table.values()) {
      const from = lanes.get(item.from), to = lanes.get(item.to);
      const a = from.far && (from.far > y0) === (y1 > y0) ? from.far : y0, b = to.far && (to.far > y1) === (y0 > y1) ? to.far : y1;
      const part = ((a + b) / 2 - y0) / (y1 - y0);
      const text = texts.length > 2 ? `${texts[0]} + ${texts.length - 1} more` : texts.join(" + ");
      pen.save();
      pen.globalAlpha = 1; pen.font = "10.5px system-ui, sans-serif"; pen.textAlign = "center"; pen.textBaseline = "bottom";
      pen.translate(x0 + (x1 - x0) * part, y0 + (y1 - y0) * part); pen.rotate(Math.atan2(y1 - y0, x1 - x0));
      pen.lineWidth = 3.5; pen.strokeStyle = colours.sheet; pen.setLineDash([]); pen.strokeText(text, 0, -2);
      pen.fillStyle = colours.ways[item.way]; pen.fillText(text, 0, -2);
      pen.restore();
    }
  }
  function drawMarks(pen, w) {
    const table = new Map(), order = ["violation", "bad", "proxied", "direct", "trial", "net", "app", "flow", "relay", "retry", "name"];
    for (const mark of marks) {
      const at = x(mark.a);
      if (at < -6 || at > w + 6 || !lanes.has(mark.host)) continue;
      const key = Math.floor(at / 9) + "," + mark.host, known = table.get(key);
      if (known) known.all.push(mark); else table.set(key, { kind: "marks", all: [mark] });
    }
    for (const group of table.values()) {
      const at = x(group.all[0].a), y = lanes.get(group.all[0].host).y;
      const look = order.find((look) => group.all.some((mark) => mark.look === look)) || "flow";
      const radius = look === "violation" ? 9 : group.all.length > 1 ? 5 : 4;
      pen.fillStyle = colours.marks[look]; pen.strokeStyle = colours.sheet; pen.lineWidth = 1.5;
      pen.beginPath();
      if (look === "app") pen.rect(at - radius * 0.85, y - radius * 0.85, radius * 1.7, radius * 1.7); else pen.arc(at, y, radius, 0, 7);
      pen.fill(); pen.stroke();
      drawn.push({ item: group, x0: at, y0: y, x1: at, y1: y, isMark: true });
    }
  }
  function highlight(pen, line) {
    const found = drawn.find((other) => other.item === line.item || (line.item.kind === "packet" && other.item.kind === "packet" && other.item.at === line.item.at && other.item.from === line.item.from && other.item.label === line.item.label && other.item.z === line.item.z));
    if (!found) return;
    chosen = found;
    pen.strokeStyle = colours.ink; pen.lineWidth = 3; pen.globalAlpha = 0.9; pen.setLineDash([]);
    pen.beginPath();
    if (found.isMark) pen.arc(found.x0, found.y0, 8, 0, 7); else { pen.moveTo(found.x0, found.y0); pen.lineTo(found.x1, found.y1); }
    pen.stroke(); pen.globalAlpha = 1;
  }

  // ── The whole run in one strip, drawn anew only where its size or the colours are others; the view is a frame over it.
  let strips = "";
  function drawOverview() {
    const scale = overview.clientWidth / end;
    brush.style.left = Math.max(view[0] * scale, 0) + "px";
    brush.style.width = Math.min(view[1], end) * scale - Math.max(view[0], 0) * scale + "px";
    const state = [overview.clientWidth, window.devicePixelRatio, colours.ink].join();
    if (state !== strips) drawStrip(scale);
    strips = state;
  }
  function drawStrip(scale) {
    const [pen, w, h] = canvas(overview);
    const counts = new Float64Array(Math.ceil(w) + 1), losses = new Float64Array(counts.length);
    for (const packet of packets) { const at = Math.min(Math.floor(packet.a * scale), counts.length - 1); (packet.lost ? losses : counts)[at] += packet.count; }
    const bar = (count) => count ? 4 + Math.min(Math.log2(1 + count) * 3.2, h - 12) : 0;
    counts.forEach((count, at) => { const tall = bar(count); pen.fillStyle = colours.soft; pen.globalAlpha = 0.65; pen.fillRect(at, h - tall, 1, tall); });
    losses.forEach((count, at) => { const tall = bar(count); pen.fillStyle = colours.lost; pen.globalAlpha = 0.9; pen.fillRect(at, h - tall, 1, tall); });
    pen.globalAlpha = 1;
    for (const gap of gaps) { pen.fillStyle = colours.sheet; pen.fillRect(gap.a * scale, 0, Math.max((gap.b - gap.a) * scale, 1.5), h); }
    for (const { element, a } of flags) { pen.fillStyle = getComputedStyle(element).getPropertyValue("--own") || colours.ink; pen.fillRect(a * scale - 1, 0, 2, h); }
  }

  // ── What a thing is, in words. Only text is ever put into the page.
  function say(lines, px, py) {
    tip.replaceChildren(...lines.filter(([text]) => text).map(([text, look]) => { const p = document.createElement("p"); p.textContent = text; if (look) p.className = look; return p; }));
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = px + 16 + box.width > innerWidth - 8 ? px - box.width - 14 : px + 16;
    const top = py + 18 + box.height > innerHeight - 8 ? py - box.height - 12 : py + 18;
    tip.style.left = Math.max(left, 8) + "px"; tip.style.top = Math.max(top, 8) + "px";
  }
  const host = (number) => lanes.get(number)?.name ?? "an address that nobody has";
  function linesOf(item) {
    if (item.kind === "marks") {
      const lines = item.all.slice(0, 9).map((mark) => [words(mark.at) + "  " + mark.text]);
      lines.unshift([host(item.all[0].host)]);
      if (item.all.length > 9) lines.push([`and ${item.all.length - 9} more; zoom in to see them`]);
      return lines;
    }
    const way = `${host(item.from)} → ${host(item.to >= 0 ? item.to : item.toward)}`, sort = item.isStream ? "TCP" : "UDP";
    const lost = item.lost ? [data.texts[item.lost], "wrong"] : [""];
    if (item.count > 1) return [[`${item.count} packets, ${way}`], [`${sort}, ${bytes(item.size)} in ${words(item.lasts)} from ${words(item.at)} on`], lost, ["Zoom in to see each one."]];
    const time = item.travels < 0 ? `sent at ${words(item.at)}` : `${words(item.at)} to ${words(item.at + item.travels)}, ${words(item.travels)} on the way`;
    return [[`${way}${item.isDouble ? ", doubled by the network" : ""}`], [`${sort}, ${bytes(item.size)}; ${time}`], lost, [data.texts[item.ends] + "  " + item.label, "code"]];
  }
  function nearest(px, py) {
    let best = null, least = 9;
    for (const line of drawn) {
      const [dx, dy] = [line.x1 - line.x0, line.y1 - line.y0], length = dx * dx + dy * dy;
      const part = length ? Math.max(0, Math.min(1, ((px - line.x0) * dx + (py - line.y0) * dy) / length)) : 0;
      const far = Math.hypot(px - line.x0 - part * dx, py - line.y0 - part * dy) - (line.isMark ? 3 : 0);
      if (far < least) { least = far; best = line; }
    }
    return best;
  }
  function choose(line, px, py) {
    if (line?.item !== chosen?.item) { chosen = line; draw(); }
    if (!line) { tip.hidden = true; return; }
    say(linesOf(line.item), px, py);
  }
  function tipOf(element, px, py) {
    const [first, ...rest] = element.dataset.tip.split("\n");
    say([[first], ...rest.map((text) => [text])], px, py);
  }

  // ── Pointer, wheel and keys.
  let held = null;
  plot.addEventListener("pointerdown", (event) => { if (event.button === 0) held = { x: event.clientX, view: [...view], moved: false, id: event.pointerId }; });
  plot.addEventListener("pointermove", (event) => {
    const box = field.getBoundingClientRect();
    if (held && (held.moved || Math.abs(event.clientX - held.x) > 3)) {
      if (!held.moved) { held.moved = true; plot.setPointerCapture(held.id); plot.classList.add("drags"); }
      const by = (held.x - event.clientX) / width * (held.view[1] - held.view[0]);
      tip.hidden = true;
      show(held.view[0] + by, held.view[1] + by);
      return;
    }
    const told = event.target.closest?.("[data-tip]");
    if (told) { chosen = null; tipOf(told, event.clientX, event.clientY); } else choose(nearest(event.clientX - box.left, event.clientY - box.top), event.clientX, event.clientY);
  });
  const release = (event) => { if (held?.moved) event.preventDefault(); setTimeout(() => { held = null; }); plot.classList.remove("drags"); };
  plot.addEventListener("pointerup", release);
  plot.addEventListener("pointercancel", release);
  plot.addEventListener("pointerleave", () => { if (!held) choose(null); });
  const atPointer = (event) => view[0] + (event.clientX - field.getBoundingClientRect().left) / width * (view[1] - view[0]);
  plot.addEventListener("dblclick", (event) => zoom(event.shiftKey ? 2 : 0.4, atPointer(event)));
  plot.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) { event.preventDefault(); zoom(Math.exp(event.deltaY * 0.003), atPointer(event)); }
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) { event.preventDefault(); move((event.deltaX || event.deltaY) / width * (view[1] - view[0])); }
  }, { passive: false });
  const steps = [...packets, ...marks].sort((one, other) => one.at - other.at);
  let step = -1;
  plot.addEventListener("keydown", (event) => {
    if (event.key === "+" || event.key === "=") zoom(0.5);
    else if (event.key === "-") zoom(2);
    else if (event.key === "Home") show(0, view[1] - view[0]);
    else if (event.key === "Escape") { step = -1; choose(null); }
    else if ((event.key === "ArrowRight" || event.key === "ArrowLeft") && event.target === plot) {
      const by = event.key === "ArrowRight" ? 1 : -1;
      if (event.shiftKey) move(by * (view[1] - view[0]) / 8);
      else {
        if (step < 0) step = steps.findIndex((item) => item.a >= view[0]) - (by > 0 ? 1 : 0);
        step = Math.max(0, Math.min(steps.length - 1, step + by));
        const item = steps[step];
        if (item.a < view[0] || item.a > view[1]) { const half = (view[1] - view[0]) / 2; view = [item.a - half, item.a + half]; }
        focusOn(item);
      }
    } else return;
    event.preventDefault();
  });
  function focusOn(item) {
    drawAll();
    const line = drawn.find((line) => line.item === item || line.item.all?.includes(item)) || { item, x0: x(item.a), y0: lanes.get(item.from ?? item.host)?.y ?? 0, x1: x(item.z ?? item.a), y1: 0 };
    const box = field.getBoundingClientRect();
    chosen = line; draw();
    const lines = item.kind === "mark" ? [[host(item.host)], [words(item.at) + "  " + item.text]] : linesOf(item);
    say(lines, box.left + line.x0, Math.min(Math.max(box.top + line.y0, 40), innerHeight - 60));
  }
  for (const element of all("[data-tip]")) {
    element.setAttribute("aria-label", element.dataset.tip.replaceAll("\n", ". "));
    element.addEventListener("focus", () => {
      if (!element.matches(":focus-visible")) return;
      const a = place(+element.dataset.a), b = place(+element.dataset.b);
      const box = element.getBoundingClientRect();
      if (b < view[0] || a > view[1]) show(a - (view[1] - view[0]) / 2, a + (view[1] - view[0]) / 2);
      tipOf(element, Math.max(box.left, 20), box.bottom);
    });
    element.addEventListener("blur", () => { tip.hidden = true; });
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button || held?.moved) return;
    const { go, a, b, zoom: factor } = button.dataset;
    if (factor) zoom(+factor);
    else if (go !== undefined) { const at = place(+go); show(at - 150, at + 250); one(".chart").scrollIntoView({ block: "nearest", behavior: "smooth" }); }
    else if (button.classList.contains("flag")) { const at = place(+a); show(at - 150, at + 250); }
    else if (a !== undefined && !button.classList.contains("band")) show(...room(place(+a), place(+b)));
  });
  let drags = false;
  const fromOverview = (event) => {
    const box = overview.getBoundingClientRect(), at = (event.clientX - box.left) / box.width * end, half = (view[1] - view[0]) / 2;
    show(at - half, at + half);
  };
  const strip = one(".overview");
  strip.addEventListener("pointerdown", (event) => { drags = true; strip.setPointerCapture(event.pointerId); fromOverview(event); });
  strip.addEventListener("pointermove", (event) => { if (drags) fromOverview(event); });
  strip.addEventListener("pointerup", () => { drags = false; });

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); draw(); });
  addEventListener("resize", draw);
  new ResizeObserver(draw).observe(field);
  readColours();
  drawAll();
})();
