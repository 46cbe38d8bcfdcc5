// CPU profiles of the engine's processes as flame graphs: width is time on the processor, each row one call deeper.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { escapeMarkup } from "./escapeMarkup.ts";

/** As V8 writes it (Chrome DevTools protocol, Profiler.Profile); times in microseconds. */
export type CpuProfile = {
	nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number }; children?: number[] }[];
	samples: number[];
	timeDeltas: number[];
};
type Frame = { name: string; micros: number; children: Map<string, Frame> };

const width = 1200;
const rowHeight = 16;
const narrowest = 0.4;
// What no process spends on work.
const idle = /^\((idle|program|root)\)/;

/** Node's option that has each process write its profile into a folder when it ends. */
export const profileOptions = (folder: string) => `--cpu-prof --cpu-prof-dir=${folder}`;

/** Draws every profile of a folder beside it. Answers the pictures' paths. */
export function drawFlames(folder: string): string[] {
	return readdirSync(folder)
		.filter((name) => name.endsWith(".cpuprofile"))
		.map((name) => {
			const profile = JSON.parse(readFileSync(join(folder, name), "utf8")) as CpuProfile;
			const file = join(folder, name.replace(/\.cpuprofile$/, ".svg"));
			writeFileSync(file, drawFlame(profile));
			return file;
		});
}

export function drawFlame(profile: CpuProfile): string {
	const root = foldFrames(profile);
	const rows: string[] = [];
	let deepest = 0;
	const place = (frame: Frame, x: number, depth: number) => {
		const wide = (frame.micros / root.micros) * width;
		if (wide < narrowest) return;
		deepest = Math.max(deepest, depth);
		const label = `${frame.name} ${(frame.micros / 1000).toFixed(1)} ms`;
		const shown = wide > 40 ? frame.name.slice(0, Math.floor(wide / 7)) : "";
		rows.push(
			`<g><title>${escapeMarkup(label)}</title><rect x="${x.toFixed(1)}" y="${depth * rowHeight}" width="${wide.toFixed(1)}" height="${rowHeight - 1}" fill="${colourOf(frame.name)}"/><text x="${(x + 2).toFixed(1)}" y="${depth * rowHeight + 11}">${escapeMarkup(shown)}</text></g>`,
		);
		let at = x;
		for (const child of [...frame.children.values()].sort((a, b) => b.micros - a.micros)) {
			place(child, at, depth + 1);
			at += (child.micros / root.micros) * width;
		}
	};
	place(root, 0, 0);
	const height = (deepest + 1) * rowHeight;
	return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="monospace" font-size="10">\n${rows.join("\n")}\n</svg>\n`;
}

/** Samples by their stacks, with the time that was spent in each. */
function foldFrames({ nodes, samples, timeDeltas }: CpuProfile): Frame {
	const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
	const byId = new Map(nodes.map((node) => [node.id, node]));
	const root: Frame = { name: "all", micros: 0, children: new Map() };
	for (const [index, id] of samples.entries()) {
		const stack: string[] = [];
		for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
			const node = byId.get(at);
			if (node) stack.push(nameOf(node.callFrame));
		}
		if (idle.test(stack[0] ?? "")) continue;
		const micros = Math.max(0, timeDeltas[index] ?? 0);
		let frame = root;
		frame.micros += micros;
		for (const name of stack.reverse().slice(1)) {
			const child = frame.children.get(name) ?? { name, micros: 0, children: new Map() };
			frame.children.set(name, child);
			child.micros += micros;
			frame = child;
		}
	}
	return root;
}

function nameOf({ functionName, url, lineNumber }: CpuProfile["nodes"][number]["callFrame"]): string {
	const file = url.split("/").slice(-2).join("/");
	return `${functionName || "(anonymous)"}${file ? ` ${file}:${lineNumber + 1}` : ""}`;
}

// Packages, Node's own and ours are told apart at a glance.
function colourOf(name: string): string {
	if (name.includes("node:") || name.startsWith("(")) return "#b5c7d9";
	let hash = 0;
	for (const character of name) hash = (hash * 31 + character.charCodeAt(0)) % 60;
	return `hsl(${hash}, 80%, 65%)`;
}
