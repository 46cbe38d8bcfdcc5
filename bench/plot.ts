// Recorded runs as pictures: bars with the range of their rounds, as SVG that any viewer draws.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { escapeMarkup } from "./escapeMarkup.ts";
import { type Spread, spread } from "./measure.ts";
import { type Figures, recorded } from "./records.ts";
import { type Sample, type SeriesName, seriesNames } from "./soak.ts";

type Bar = { label: string } & Spread;
/** A figure over time, over what it was at first. */
type Line = { label: string; points: { x: number; y: number }[] };

const width = 720;
const labelWidth = 200;
const rowHeight = 28;
const top = 44;
const colours = { bar: "#3b6ea5", range: "#16324f", text: "#1b1b1b" };

const asBars = (title: string, bars: (figures: Figures) => Bar[]) => (figures: Figures) =>
	draw(title, bars(figures), noteOf(figures, "bars: median; lines: least and most of the rounds"));

/** Suite → its picture. */
const pictures: Record<string, (figures: Figures) => string> = {
	lifecycle: asBars("single messages beside a bare workflow, a second", besideBaseline),
	batch: asBars("messages in batches of 500 beside a bare workflow, a second", besideBaseline),
	growth: asBars("on an empty system and a grown one, a second", growthBars),
	peers: asBars("end to end over one SMSC, messages a second", peerBars),
	soak: (figures) =>
		drawLines(
			`${figures.minutes} minutes at ${Math.round(Number(figures.load) * 100)} % load, over the first minutes`,
			soakLines(figures),
			noteOf(figures, "each over the median of its first tenth"),
		),
};

/** Draws every suite that has a record. Answers the names of what it drew. */
export function plot(): string[] {
	return Object.entries(pictures).flatMap(([suite, picture]) => {
		const figures = recorded(suite);
		if (!figures) return [];
		const file = fileURLToPath(new URL(`../docs/images/bench-${suite}.svg`, import.meta.url));
		writeFileSync(file, picture(figures));
		return [suite];
	});
}

/** Bars in the order in which they are given, scaled to the greatest. */
export function draw(title: string, bars: Bar[], note: string): string {
	const height = top + bars.length * rowHeight + 30;
	const most = Math.max(...bars.map(({ max }) => max), Number.MIN_VALUE);
	const scale = (width - labelWidth - 90) / most;
	const rows = bars.map(({ label, min, median, max }, index) => {
		const y = top + index * rowHeight;
		const middle = y + rowHeight / 2;
		const x = (value: number) => (labelWidth + value * scale).toFixed(1);
		return `<text x="${labelWidth - 8}" y="${middle + 4}" text-anchor="end">${escapeMarkup(label)}</text>
<rect x="${labelWidth}" y="${y + 4}" width="${(median * scale).toFixed(1)}" height="${rowHeight - 8}" fill="${colours.bar}"/>
<line x1="${x(min)}" x2="${x(max)}" y1="${middle}" y2="${middle}" stroke="${colours.range}" stroke-width="2"/>
<text x="${Number(x(max)) + 6}" y="${middle + 4}">${median < 10 ? median.toFixed(2) : Math.round(median)}</text>`;
	});
	return frame(title, height, rows, note);
}

function frame(title: string, height: number, rows: string[], note: string): string {
	return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${colours.text}">
<title>${escapeMarkup(title)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="12" y="24" font-size="15" font-weight="bold">${escapeMarkup(title)}</text>
${rows.join("\n")}
<text x="12" y="${height - 10}" font-size="10">${escapeMarkup(note)}</text>
</svg>
`;
}

const lineColours = ["#3b6ea5", "#b5532a", "#4b8f4b", "#8a4fa0", "#7a7a7a"];

/** Lines over time, scaled to the greatest, from nought. */
export function drawLines(title: string, lines: Line[], note: string): string {
	const height = 320;
	const [left, right, bottom] = [40, width - 170, height - 36];
	const points = lines.flatMap((line) => line.points);
	const xMost = Math.max(...points.map(({ x }) => x), Number.MIN_VALUE);
	const yMost = Math.max(...points.map(({ y }) => y), 1) * 1.05;
	const across = (x: number) => (left + (x / xMost) * (right - left)).toFixed(1);
	const up = (y: number) => (bottom - (y / yMost) * (bottom - top)).toFixed(1);
	const rows = lines.map(({ label, points }, index) => {
		const colour = lineColours[index % lineColours.length];
		const path = points.map(({ x, y }) => `${across(x)},${up(y)}`).join(" ");
		return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>
<text x="${right + 12}" y="${top + 16 + index * 18}" fill="${colour}">${escapeMarkup(label)}</text>`;
	});
	const axes = `<line x1="${left}" x2="${right}" y1="${up(1)}" y2="${up(1)}" stroke="#cccccc"/>
<text x="${left - 6}" y="${up(1)}" text-anchor="end">1</text>
<line x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}" stroke="${colours.text}"/>
<text x="${right}" y="${bottom + 14}" text-anchor="end" font-size="10">${Math.round(xMost / 60)} min</text>`;
	return frame(title, height, [axes, ...rows], note);
}

function soakLines(figures: Figures): Line[] {
	const samples = figures.samples as Sample[];
	return seriesNames.map((name) => {
		const first = spread(samples.slice(0, Math.ceil(samples.length / 10)).map((one) => one[name])).median;
		const points = samples.map((one) => ({ x: one.atSeconds, y: one[name] / Math.max(1, first) }));
		const last = points.at(-1)?.y ?? Number.NaN;
		return { label: `${soakLabels[name]} ×${last.toFixed(2)}`, points };
	});
}

const soakLabels: Record<SeriesName, string> = {
	memoryBytes: "memory",
	handles: "handles",
	openRuns: "open runs",
	redisKeys: "Redis keys",
	databaseBytes: "database",
};

function besideBaseline(figures: Figures): Bar[] {
	const baseline = figures.baseline as { what: string; workflowsPerSecond: Spread };
	return [
		{ label: "Lethe, messages", ...(figures.messagesPerSecond as Spread) },
		{ label: "bare workflows", ...baseline.workflowsPerSecond },
	];
}

function growthBars(figures: Figures): Bar[] {
	const sides = { empty: figures.baseline, grown: figures.grown } as Record<string, Record<string, Spread>>;
	return Object.entries(sides).flatMap(([side, rates]) => [
		{ label: `single, ${side}`, ...(rates.singleMessagesPerSecond as Spread) },
		{ label: `batches, ${side}`, ...(rates.batchMessagesPerSecond as Spread) },
	]);
}

function peerBars(figures: Figures): Bar[] {
	const peers = figures.peers as Record<string, { endToEndPerSecond?: Spread }>;
	return Object.entries(peers).flatMap(([label, { endToEndPerSecond }]) =>
		endToEndPerSecond ? [{ label, ...endToEndPerSecond }] : [],
	);
}

function noteOf({ machine, store, commit }: Figures, reading: string): string {
	const { processor, cores } = machine as { processor: string; cores: number };
	const made = commit ? `, commit ${commit}` : "";
	return `${reading}; ${cores} cores of ${processor}, store ${String(store).split("/").at(-1)}${made}`;
}
