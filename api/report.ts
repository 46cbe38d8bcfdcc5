// A document as a page that a person can read and keep: no script, nothing loaded, every value escaped.

const style =
	"body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}" +
	"table{border-collapse:collapse}th,td{border:1px solid #999;padding:.25rem .5rem;text-align:left;vertical-align:top}" +
	"dt{font-weight:600}dd{margin:0 0 .5rem 1rem}";

/** HTML with the document's fields as headings, lists and tables. @param title in the reader's words */
export function renderReport(title: string, document: object): string {
	const head = `<meta charset="utf-8"><title>${escapeHtml(title)}</title><style>${style}</style>`;
	const sections = Object.entries(document)
		.filter(([, value]) => value !== undefined)
		.map(([name, value]) => `<h2>${label(name)}</h2>${render(value)}`);
	return `<!doctype html><html lang="en"><head>${head}</head><body><h1>${escapeHtml(title)}</h1>${sections.join("")}</body></html>\n`;
}

function render(value: unknown): string {
	if (value === undefined || value === null || value === "") return "<p>none</p>";
	if (Array.isArray(value)) return renderList(value);
	return typeof value === "object" ? renderFields(value) : `<p>${escapeHtml(String(value))}</p>`;
}

function renderList(items: unknown[]): string {
	if (items.length === 0) return "<p>none</p>";
	if (!items.every((item) => typeof item === "object" && item !== null))
		return `<p>${escapeHtml(items.join(", "))}</p>`;
	const rows = items as Record<string, unknown>[];
	const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
	const heads = names.map((name) => `<th>${label(name)}</th>`).join("");
	const bodies = rows.map((row) => `<tr>${names.map((name) => `<td>${renderCell(row[name])}</td>`).join("")}</tr>`);
	return `<table><thead><tr>${heads}</tr></thead><tbody>${bodies.join("")}</tbody></table>`;
}

function renderCell(value: unknown): string {
	if (value === undefined || value === null) return "";
	return typeof value === "object" ? render(value) : escapeHtml(String(value));
}

function renderFields(fields: object): string {
	const rows = Object.entries(fields).filter(([, value]) => value !== undefined);
	return `<dl>${rows.map(([name, value]) => `<dt>${label(name)}</dt><dd>${renderCell(value)}</dd>`).join("")}</dl>`;
}

// `receivedAt` is read as "Received at".
function label(name: string): string {
	const words = name
		.replace(/([A-Z])/g, " $1")
		.replaceAll("_", " ")
		.toLowerCase()
		.trim();
	return escapeHtml(words.charAt(0).toUpperCase() + words.slice(1));
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escapeHtml(text: string): string {
	return text.replace(/[&<>"']/g, (character) => entities[character] ?? "");
}
