// Whether two letters name a country, and which.

const names = new Intl.DisplayNames("en", { type: "region", fallback: "none" });

// What the names' source has besides: groups of countries, parts of them, and codes for tests.
const others = new Set(["CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "UN", "XA", "XB", "ZZ"]);

/** Of ISO 3166-1, alpha-2. */
export function isCountry(code: string): boolean {
	return countryOf(code) === code;
}

/** The code that ISO 3166-1 has for a country, also of one that goes by another, or went: GB of UK, GR of the Union's EL. */
export function countryOf(code: string): string | undefined {
	if (code === "EL") return "GR";
	if (!/^[A-Z]{2}$/.test(code) || others.has(code) || names.of(code) === undefined) return undefined;
	return new Intl.Locale(`und-${code}`).region;
}
