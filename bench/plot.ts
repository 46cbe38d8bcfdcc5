// Recorded runs as pictures: bars with the range of their rounds, as SVG that any viewer draws.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { escapeMarkup } from "./escapeMarkup.ts";
import type { Spread } from "./measure.ts";
import { type Figures, recorded } from "./records.ts";

type Bar = { label: string } & Spread;

const width = 720;
const labelWidth = 200;
const rowHeight = 28;
const top = 44;
const colours = { bar: "#3b6ea5", range: "#16324f", text: "#1b1b1b" };

/** Suite → title and the figures that are drawn of it. */
const pictures: Record<string, { title: string; bars: (figures: Figures) => Bar[] }> = {
	lifecycle: { title: "single messages beside a bare workflow, a second", bars: besideBaseline },
	batch: { title: "messages in batches of 500 beside a bare workflow, a second", bars: besideBaseline },
	growth: { title: "on an empty system and a grown one, a second", bars: growthBars },
	peers: { title: "end to end over one SMSC, messages a second", bars: peerBars },
};

/** Draws every suite that has a record. Answers the names of what it drew. */
export function plot(): string[] {
	return Object.entries(pictures).flatMap(([suite, { title, bars }]) => {
		const figures = recorded(suite);
		if (!figures) return [];
		const file = fileURLToPath(new URL(`../docs/images/bench-${suite}.svg`, import.meta.url));
		writeFileSync(file, draw(title, bars(figures), noteOf(figures)));
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
	return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${colours.text}">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="12" y="24" font-size="15" font-weight="bold">${escapeMarkup(title)}</text>
${rows.join("\n")}
<text x="12" y="${height - 10}" font-size="10">${escapeMarkup(note)}</text>
</svg>
`;
}

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

function noteOf({ machine, store }: Figures): string {
	const { processor, cores } = machine as { processor: string; cores: number };
	return `bars: median; lines: least and most of the rounds; ${cores} cores of ${processor}, store ${String(store).split("/").at(-1)}`;
}
