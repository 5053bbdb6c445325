// A bar chart in SVG, drawn for the width there is, and the same numbers as a table.

import { fill, h, svg, table } from './dom.js';

const HEIGHT = 180;
const TOP = 12;
const BOTTOM = 22;
const RIGHT = 4;
const WIDTH_MIN = 200;
const STEPS = [1, 2, 5, 10];
const LINES_MAX = 5;
const DIGIT_WIDTH = 6.5;

/**
 * `{title, points: [{label, value, text, link?}], xLabel, yLabel, signal}`: points from left to right; `value` is a Number for the height,
 * `text` what is exact. Heights are for the eye; the table has every digit.
 */
export function barChart({ title, points, xLabel, yLabel, signal }) {
  const readout = h('p', { class: 'readout', 'aria-hidden': 'true' });
  const picture = h('div', { class: 'picture' });
  const rows = points.map((point) => [point.link ?? point.label, point.text]).reverse();
  const figure = h('figure', { class: 'chart' },
    h('figcaption', null, h('h2', null, title), readout),
    picture,
    h('details', null, h('summary', null, 'Show as a table', h('span', { class: 'hidden' }, `: ${title}`)),
      h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `${title}, as a table` },
        table(title, [{ label: xLabel }, { label: yLabel, class: 'right' }], rows))));
  const still = summary(points, yLabel);
  fill(readout, still);
  let width = 0;
  const draw = () => {
    const wide = Math.max(WIDTH_MIN, Math.floor(picture.clientWidth));
    if (wide === width) return;
    width = wide;
    fill(picture, bars({ title, points, width, readout, still, yLabel }));
  };
  const observer = new ResizeObserver(draw);
  observer.observe(picture);
  signal.addEventListener('abort', () => observer.disconnect());
  return figure;
}

function summary(points, yLabel) {
  if (!points.length) return 'Nothing to show yet.';
  const last = points[points.length - 1];
  return `${last.label}: ${last.text} ${yLabel}`;
}

/** Round numbers from zero to what is not below the largest. */
export function ticks(largest) {
  if (!(largest > 0)) return [0, 1];
  const raw = largest / LINES_MAX;
  const scale = 10 ** Math.floor(Math.log10(raw));
  const step = STEPS.find((candidate) => candidate * scale >= raw * (1 - 1e-9)) * scale;
  const count = Math.ceil(largest / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => step * index);
}

function bars({ title, points, width, readout, still, yLabel }) {
  const largest = Math.max(0, ...points.map(({ value }) => value));
  const marks = ticks(largest);
  const top = marks[marks.length - 1];
  const left = 14 + DIGIT_WIDTH * Math.max(...marks.map((mark) => compact(mark).length));
  const inner = { width: width - left - RIGHT, height: HEIGHT - TOP - BOTTOM };
  const slot = points.length ? inner.width / points.length : inner.width;
  const gap = slot > 4 ? Math.min(3, slot * 0.25) : 0;
  const y = (value) => TOP + inner.height - (value / top) * inner.height;
  const lines = marks.map((mark) => {
    const at = y(mark);
    return [
      svg('line', { class: mark ? 'grid' : 'axis', x1: left, x2: width - RIGHT, y1: at, y2: at }),
      svg('text', { class: 'tick', x: left - 8, y: at + 4, 'text-anchor': 'end' }, compact(mark)),
    ];
  });
  const shapes = points.map(({ value }, index) => {
    const height = value > 0 ? Math.max(1, (value / top) * inner.height) : 0;
    return svg('rect', { class: 'bar', x: left + index * slot + gap / 2, y: TOP + inner.height - height, width: Math.max(0.5, slot - gap), height });
  });
  const ends = points.length ? [
    svg('text', { class: 'tick', x: left, y: HEIGHT - 4 }, points[0].label),
    points.length > 1 ? svg('text', { class: 'tick', x: width - RIGHT, y: HEIGHT - 4, 'text-anchor': 'end' }, points[points.length - 1].label) : null,
  ] : null;
  const highest = points.find(({ value }) => value === largest);
  const described = points.length ? `${title}. Bars from ${points[0].label} to ${points[points.length - 1].label}; the highest is ${highest.text} at ${highest.label}.` : `${title}. Nothing yet.`;
  const picture = svg('svg', { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: 'img', 'aria-label': described }, lines, shapes, ends);
  const pick = (index) => {
    shapes.forEach((shape, at) => shape.classList.toggle('picked', at === index));
    const point = points[index];
    fill(readout, point ? `${point.label}: ${point.text} ${yLabel}` : still);
  };
  picture.addEventListener('pointermove', (event) => {
    const x = event.clientX - picture.getBoundingClientRect().left - left;
    pick(Math.floor(x / slot));
  });
  picture.addEventListener('pointerleave', () => pick(-1));
  return picture;
}

/** A few digits for an axis. */
export function compact(value) {
  if (value === 0) return '0';
  if (value >= 1e15 || value < 1e-6) return value.toExponential(1).replace('e+', 'e');
  for (const [size, unit] of [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']]) {
    if (value >= size) return `${Number((value / size).toPrecision(3))}${unit}`;
  }
  return Number(value.toPrecision(3)).toLocaleString('en', { maximumFractionDigits: 9, useGrouping: false });
}
