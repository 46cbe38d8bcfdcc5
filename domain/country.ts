// Whether two letters name a country.

const names = new Intl.DisplayNames("en", { type: "region", fallback: "none" });

/** Of ISO 3166-1, alpha-2. */
export function isCountry(code: string): boolean {
	return /^[A-Z]{2}$/.test(code) && names.of(code) !== undefined;
}
