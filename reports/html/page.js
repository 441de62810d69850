// page.js: sorting, filtering and plots over a page that is complete without it. Chart.js draws; the data is the JSON report.
"use strict";
(() => {
  document.documentElement.classList.add("scripted");
  const report = JSON.parse(document.getElementById("report").textContent);
  const layers = report.layers;
  const color = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const charts = [];

  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;
  Chart.defaults.font.family = "system-ui, sans-serif";
  const themed = () => {
    Chart.defaults.color = color("faint");
    Chart.defaults.borderColor = color("line");
  };
  themed();

  const plot = (parent, id, label, config) => {
    const box = parent.classList.contains("plot") ? parent : parent.appendChild(Object.assign(document.createElement("div"), {className: "plot"}));
    const canvas = box.appendChild(document.createElement("canvas"));
    canvas.id = id;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    config.options = Object.assign({}, config.options);
    config.options.plugins = Object.assign({legend: {display: false}, title: {display: true, text: label}}, config.options.plugins);
    charts.push({canvas, config, chart: new Chart(canvas, config)});
  };

  // Which elements of the network differ, and by how many: isolated beside chained, on a logarithmic scale.
  const network = () => {
    const chained = layers.some(l => l.chained);
    if (!layers.some(l => l.mismatches || (l.chained && l.chained.mismatches))) return;
    const bars = (label, tone, values) => ({label, data: values.map(n => n || null), backgroundColor: () => color(tone), minBarLength: 3});
    const datasets = [bars("isolated", "own", layers.map(l => l.mismatches))];
    if (chained) datasets.push(bars("chained", "chained", layers.map(l => l.chained ? l.chained.mismatches : 0)));
    plot(document.getElementById("network-plot"), "plot-network", "Mismatches by layer", {
      type: "bar",
      data: {labels: layers.map(l => l.name), datasets},
      options: {
        plugins: {legend: {display: chained, position: "right"}},
        scales: {x: {ticks: {display: layers.length <= 12, maxRotation: 30}, grid: {display: false}}, y: {type: "logarithmic", min: 0.5, ticks: {callback: v => Number.isInteger(Math.log10(v)) ? v : ""}}},
        interaction: {mode: "index", intersect: false},
        onClick: (event, found) => { if (found.length) choose(found[0].index, true); },
      },
    });
  };

  const errors = (parent, l, i) => {
    const lsb = Object.keys(l.histogram).map(Number).sort((a, b) => a - b);
    if (!lsb.length) return;
    const low = lsb[0], high = lsb[lsb.length - 1], labels = [];
    if (high - low <= 64) for (let v = low; v <= high; v++) labels.push(v);
    else labels.push(...lsb);
    plot(parent, "plot-errors-" + i, "Elements by signed error (LSB)", {
      type: "bar",
      data: {labels, datasets: [{label: "elements", data: labels.map(v => l.histogram[v] || 0), backgroundColor: () => color("own")}]},
      options: {scales: {x: {title: {display: true, text: "observed - expected, LSB"}}, y: {beginAtZero: true, ticks: {precision: 0}}}},
    });
  };

  const heat_map = (parent, l, i) => {
    const map = l.error_map;
    if (!map || !map.values.length) return;
    const most = Math.max(...map.values), points = [];
    map.values.forEach((n, at) => { if (n) points.push({x: at % map.columns, y: Math.floor(at / map.columns), n}); });
    // A cell is a picture of the bin's size, in one of eight shades.
    const cells = new Map();
    const cell = context => {
      const area = context.chart.chartArea, n = context.raw ? context.raw.n : 0;
      if (!area) return "rect";
      const w = Math.max(3, Math.ceil(area.width / map.columns)), h = Math.max(3, Math.ceil(area.height / map.rows));
      const shade = Math.ceil(8 * Math.log1p(n) / Math.log1p(most)), tone = color("own"), key = [w, h, shade, tone].join();
      if (!cells.has(key)) {
        const picture = Object.assign(document.createElement("canvas"), {width: w, height: h}), ink = picture.getContext("2d");
        ink.globalAlpha = 0.2 + 0.1 * shade;
        ink.fillStyle = tone;
        ink.fillRect(0, 0, w, h);
        cells.set(key, picture);
      }
      return cells.get(key);
    };
    const reach = context => {
      const area = context.chart.chartArea;
      return area ? Math.max(3, Math.min(area.width / map.columns, area.height / map.rows) / 2) : 3;
    };
    const channel = y => !Number.isInteger(y) ? "" : map.rows === map.channels ? y : Math.floor(y * map.channels / map.rows);
    const position = x => !Number.isInteger(x) ? "" : map.columns === map.positions ? x : Math.floor(x * map.positions / map.columns);
    plot(parent, "plot-map-" + i, "Mismatches, channel by position", {
      type: "scatter",
      data: {datasets: [{data: points, pointStyle: cell, pointRadius: reach, pointHoverRadius: reach}]},
      options: {
        scales: {
          x: {min: -0.5, max: map.columns - 0.5, title: {display: true, text: `position (${map.positions})`}, grid: {display: false}, ticks: {precision: 0, callback: position}},
          y: {min: -0.5, max: map.rows - 0.5, reverse: true, title: {display: true, text: `channel (${map.channels})`}, grid: {display: false}, ticks: {precision: 0, callback: channel}},
        },
        plugins: {tooltip: {callbacks: {label: c => `channel ${channel(c.raw.y)}, position ${position(c.raw.x)}: ${c.raw.n}`}}},
      },
    });
  };

  // Signed powers of two: x = sign(v) * log2(1 + |v|).
  const accumulator = (parent, l, i) => {
    const a = l.accumulator;
    if (!a.min && !a.max && !a.worst_case_bits) return;
    const log = v => Math.sign(v) * Math.log2(1 + Math.abs(v));
    const ranges = [["observed", a.min, a.max]];
    if (a.worst_case_bits) ranges.push(["worst case", a.worst_case_min, a.worst_case_max]);
    for (const bits of [16, 24, 32]) ranges.push(["int" + bits, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1]);
    const own = ranges.length - 3;
    plot(parent, "plot-accumulator-" + i, "Accumulator range", {
      type: "bar",
      data: {labels: ranges.map(r => r[0]), datasets: [{data: ranges.map(r => [log(r[1]), log(r[2])]), minBarLength: 3,
        backgroundColor: c => c.dataIndex < own ? color("plain") : color("line")}]},
      options: {
        indexAxis: "y",
        scales: {x: {ticks: {stepSize: 16, maxRotation: 0, callback: v => v === 0 ? "0" : (v < 0 ? "-2^" : "2^") + Math.abs(v)}}},
        plugins: {tooltip: {callbacks: {label: c => `${ranges[c.dataIndex][1]} .. ${ranges[c.dataIndex][2]}`}}},
      },
    });
  };

  // Stored minus real value. Within half an LSB it is correctly rounded; exact ties lie on the dashed lines, those at +0.5 in the bin right of it.
  const ties = {
    id: "ties",
    afterDatasetsDraw(chart) {
      const {ctx, chartArea: area, scales: {x}} = chart;
      ctx.save();
      ctx.setLineDash([4, 3]);
      ctx.strokeStyle = ctx.fillStyle = color("faint");
      for (const at of [9.5, 29.5]) {
        ctx.beginPath();
        ctx.moveTo(x.getPixelForValue(at), area.top);
        ctx.lineTo(x.getPixelForValue(at), area.bottom);
        ctx.stroke();
      }
      ctx.restore();
    },
  };
  const rounding = (parent, l, i) => {
    const bins = l.exact.histogram;
    if (!bins || bins.length !== 40 || !bins.some(n => n)) return;
    plot(parent, "plot-rounding-" + i, `Rounding error (LSB), dashed: ties (${l.exact.ties})`, {
      type: "bar",
      data: {labels: bins.map((n, at) => ((at - 20) / 20).toFixed(2)), datasets: [{label: "elements", data: bins, barPercentage: 1, categoryPercentage: 1,
        backgroundColor: c => c.dataIndex < 10 || c.dataIndex > 30 ? color("own") : color("plain")}]},
      options: {scales: {x: {title: {display: true, text: "stored - exact, LSB, from"}, grid: {display: false}}, y: {beginAtZero: true, ticks: {precision: 0}}}},
      plugins: [ties],
    });
  };

  const draw = details => {
    const parent = details.querySelector(".plots"), i = Number(details.dataset.layer);
    if (!parent || parent.childElementCount) return;
    for (const part of [errors, heat_map, accumulator, rounding]) part(parent, layers[i], i);
  };
  for (const details of document.querySelectorAll("details.layer")) {
    details.addEventListener("toggle", () => { if (details.open) draw(details); });
    if (details.open) draw(details);
  }

  const table = document.getElementById("table"), body = table.tBodies[0], rows = Array.from(body.rows);
  const choose = (i, scroll) => {
    const details = document.getElementById("layer-" + i);
    if (!details) return;
    details.open = true;
    details.classList.remove("quiet");
    for (const row of rows) row.classList.toggle("chosen", Number(row.dataset.layer) === i);
    if (scroll) details.scrollIntoView({block: "start"});
  };
  const follow = () => {
    const found = /^#layer-(\d+)$/.exec(location.hash);
    if (found) choose(Number(found[1]), true);
  };
  window.addEventListener("hashchange", follow);
  body.addEventListener("click", event => {
    const row = event.target.closest("tr");
    if (row && !event.target.closest("a")) choose(Number(row.dataset.layer), true);
  });
  document.addEventListener("click", event => {
    const link = event.target.closest("a[href^='#layer-']");
    if (link && link.hash === location.hash) follow();
  });

  Array.from(table.tHead.rows[0].cells).forEach((cell, column) => {
    const button = Object.assign(document.createElement("button"), {type: "button", textContent: cell.textContent});
    cell.replaceChildren(button);
    const numeric = column === 0 || cell.classList.contains("n");
    button.addEventListener("click", () => {
      const down = cell.getAttribute("aria-sort") === "ascending" || (numeric && column > 0 && !cell.hasAttribute("aria-sort"));
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = row => numeric ? Number(row.cells[column].textContent || -1) : row.cells[column].textContent;
      const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
      rows.sort((a, b) => order(value(a), value(b)) || Number(a.dataset.layer) - Number(b.dataset.layer));
      body.append(...rows);
    });
  });

  document.getElementById("all").addEventListener("click", event => {
    document.getElementById("details").classList.add("everything");
    event.target.parentElement.hidden = true;
  });
  if (!document.querySelector("details.layer.quiet")) document.getElementById("all").parentElement.hidden = true;

  const filter = document.getElementById("filter"), verdict = document.getElementById("verdict"), shown = document.getElementById("shown");
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(w => w);
    let count = 0;
    for (const row of rows) {
      const l = layers[Number(row.dataset.layer)], text = row.textContent.toLowerCase();
      row.hidden = !(words.every(w => text.includes(w)) && (!verdict.value || l.verdict === verdict.value));
      count += !row.hidden;
    }
    shown.textContent = `${count} of ${rows.length} layers`;
  };
  filter.addEventListener("input", apply);
  verdict.addEventListener("change", apply);
  apply();
  network();
  follow();

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    themed();
    for (const entry of charts) {
      entry.chart.destroy();
      entry.chart = new Chart(entry.canvas, entry.config);
    }
  });
})();
