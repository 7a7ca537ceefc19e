// Saves a chart to a file: PNG from its canvas, SVG and CSV as text.

import { SvgContext, nameFile, writePoints } from "./chart_export.js";
import { makeFrame, paint } from "./chart_painter.js";
import { styleOf } from "./chart_plot.js";
import { cutName } from "./names.js";
import { saveCsv, saveFile } from "./save_file.js";

const TITLE = 26;
const ROW = 18;
const TITLE_FONT = "14px system-ui";
const LEGEND_FONT = "12px system-ui";
const EDGE = 8;
const LABEL_LEFT = 38;

/** Save `chart` as "png", "svg" or "csv". */
export async function saveChart(chart, ending) {
  const name = nameFile(chart.names, ending);
  if (ending === "csv") return saveCsv(writePoints(chart.lines, chart.view.axis), name);
  const { canvas } = chart.plot.plot.ctx;
  const [width, height] = [chart.plot.plot.width, chart.plot.plot.height];
  const rows = listRows(chart);
  if (ending === "svg") {
    const ctx = new SvgContext(width, height + TITLE + rows.length * ROW);
    paintFrame(ctx, chart, rows, width, height);
    paintPlot(ctx, chart);
    return saveFile(new Blob([ctx.finish()], { type: "image/svg+xml" }), name);
  }
  const ratio = canvas.width / width;
  const picture = document.createElement("canvas");
  Object.assign(picture, { width: canvas.width, height: (height + TITLE + rows.length * ROW) * ratio });
  const ctx = picture.getContext("2d");
  ctx.scale(ratio, ratio);
  paintFrame(ctx, chart, rows, width, height);
  ctx.drawImage(canvas, 0, TITLE, width, height);
  return saveFile(
    await new Promise((done) => {
      picture.toBlob(done, "image/png");
    }),
    name,
  );
}

/** The legend, which pictures have below the plot. */
const listRows = ({ lines }) => [...new Map(lines.map((line) => [`${line.run} ${line.label}`, line])).values()];

function paintFrame(ctx, chart, rows, width, height) {
  ctx.fillStyle = styleOf("--paper");
  ctx.fillRect(0, 0, width, height + TITLE + rows.length * ROW);
  ctx.fillStyle = styleOf("--text");
  ctx.font = TITLE_FONT;
  ctx.fillText(cutName(chart.title, { room: width - 2 * EDGE, measure: makeMeasure(TITLE_FONT) }), EDGE, 18);
  const cut = { room: width - LABEL_LEFT - EDGE, measure: makeMeasure(LEGEND_FONT) };
  rows.forEach((line, index) => {
    const y = TITLE + height + index * ROW + 9;
    ctx.strokeStyle = line.colour;
    ctx.lineWidth = 2.5;
    ctx.setLineDash(line.dash);
    ctx.beginPath();
    ctx.moveTo(10, y);
    ctx.lineTo(32, y);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.font = LEGEND_FONT;
    ctx.fillText(cutName(line.uid, { suffix: line.label.slice(line.uid.length), ...cut }), LABEL_LEFT, y + 4);
  });
}

/** A function that returns the width of a text in `font`, also for a picture without a canvas. */
function makeMeasure(font) {
  const ctx = document.createElement("canvas").getContext("2d");
  ctx.font = font;
  return (text) => ctx.measureText(text).width;
}

/** The axes and the lines, for a picture without a canvas. */
function paintPlot(ctx, chart) {
  const { plot, content } = chart.plot;
  const box = {
    left: plot.bbox.left / devicePixelRatio,
    top: plot.bbox.top / devicePixelRatio + TITLE,
    width: plot.bbox.width / devicePixelRatio,
    height: plot.bbox.height / devicePixelRatio,
  };
  const { x, y } = chart.plot.listTicks();
  ctx.lineWidth = 1;
  ctx.font = "12px system-ui";
  const stroke = (...ends) => {
    ctx.beginPath();
    ends.forEach(([left, top], index) => (index ? ctx.lineTo(left, top) : ctx.moveTo(left, top)));
    ctx.stroke();
  };
  ctx.strokeStyle = styleOf("--grid");
  ctx.fillStyle = styleOf("--soft");
  for (const [at, text] of x.filter(([, each]) => each)) {
    stroke([box.left + at, box.top], [box.left + at, box.top + box.height]);
    ctx.textAlign = "center";
    text
      .split("\n")
      .forEach((line, index) => ctx.fillText(line, box.left + at, box.top + box.height + 18 + index * 14));
  }
  for (const [at, text] of y.filter(([, each]) => each)) {
    stroke([box.left, box.top + at], [box.left + box.width, box.top + at]);
    ctx.textAlign = "right";
    ctx.fillText(text, box.left - 8, box.top + at + 4);
  }
  ctx.textAlign = "start";
  paint(ctx, content, makeFrame(box, content.xRange, content.yRange, { log: content.log, ratio: 1 }), {
    bad: styleOf("--bad"),
    paper: styleOf("--paper"),
  });
}
