// Whether whoever asks is to be shown a page: browsers name HTML first, programs do not name it.

/** Whether `Accept` (RFC 9110, 12.5.1) names HTML, and no JSON that it likes as well. */
export function prefersHtml(accept: string | undefined): boolean {
	const qualities = new Map(
		(accept ?? "")
			.toLowerCase()
			.split(",")
			.slice(0, 20)
			.map((part) => {
				const [range = "", ...parameters] = part.split(";").map((text) => text.trim());
				const quality = parameters.find((text) => text.startsWith("q="))?.slice(2);
				return [range, quality === undefined ? 1 : Number(quality)] as const;
			}),
	);
	const html = qualities.get("text/html") ?? 0;
	return html > (qualities.get("application/json") ?? 0);
}
