// Names for groups of countries that packs may use.

import { countryOf } from "../domain/country.ts";

/** The European Economic Area, with the outermost regions that have a country code of their own. */
const eea = [
	...["AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV"],
	...["MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "IS", "LI", "NO", "AX", "GF", "GP", "MF", "MQ", "RE", "YT"],
];

const countryGroups: Record<string, readonly string[]> = { EEA: eea };

/** Countries by the codes of ISO 3166-1, as facts are read, with groups spelt out. */
export function expandCountries(names: readonly string[]): Set<string> {
	return new Set(names.flatMap((name) => countryGroups[name] ?? [countryOf(name) ?? name]));
}
