// Draws docs/images/run.svg, the picture of a first run in the README: npm start -- --once | npm run picture

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";

const columns = 88;
const size = { column: 8.4, line: 20, margin: 16, font: 14 };
const colours = { ground: "#16181d", plain: "#d7dae0", dim: "#8b919c", good: "#7ec699" };

/** A terminal that shows a run: the command, then each line of its output, cut at the terminal's edge. */
export function drawPicture(output: string): string {
	const lines = ["$ npm start -- --once", ...runLines(output)];
	const width = columns * size.column + 2 * size.margin;
	const height = lines.length * size.line + 2 * size.margin;
	const rows = lines.map((line, index) => {
		const y = size.margin + (index + 0.75) * size.line;
		return `<text x="${size.margin}" y="${y}" fill="${colourOf(line)}" xml:space="preserve">${escapeXml(cut(line))}</text>`;
	});
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${size.font}">
<title>A run of npm start -- --once</title>
<rect width="100%" height="100%" rx="8" fill="${colours.ground}"/>
${rows.join("\n")}
</svg>
`;
}

/** What the run itself says: without npm's banner, without empty lines. */
export function runLines(output: string): string[] {
	return output.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("> "));
}

function cut(line: string): string {
	return line.length > columns ? `${line.slice(0, columns - 1)}…` : line;
}

function colourOf(line: string): string {
	if (/ is ready|: valid$/.test(line)) return colours.good;
	return line.startsWith("  ") ? colours.dim : colours.plain;
}

function escapeXml(line: string): string {
	return line.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

if (import.meta.main) {
	const file = join(import.meta.dirname, "..", "docs", "images", "run.svg");
	mkdirSync(dirname(file), { recursive: true });
	writeFileSync(file, drawPicture(await text(process.stdin)));
	console.log(`${file} written`);
}
