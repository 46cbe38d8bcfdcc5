// In which time zones a recipient may be when only a country, or a region of it, is known.

import { isCountry } from "../domain/country.ts";

/** One place a recipient may be: an IANA time zone, and the region where the country's table knows regions. */
export type CandidateZone = { zone: string; region?: string };

/**
 * Every zone that a recipient may be in. A region narrows it where the table knows the country's regions;
 * a country that is not in the table may be anywhere on Earth.
 */
export function candidateZones(country: string, region?: string): readonly CandidateZone[] {
	const apart = region?.startsWith(`${country}-`) ? zonesApart.get(region) : undefined;
	if (region !== undefined && apart) return apart.map((zone) => ({ zone, region }));
	const places = placesOf.get(country);
	if (!places) return (countryZones[country] ?? anywhere).map((zone) => ({ zone, ...(region ? { region } : {}) }));
	if (region === undefined) return places;
	const inRegion = places.filter((place) => place.region === region);
	// An unknown code: the whole country counts, and every regional rule of it.
	return inRegion.length > 0 ? inRegion : [...new Set(places.map(({ zone }) => zone))].map((zone) => ({ zone }));
}

/** Whether a country has such a region, as far as the table knows its regions. @param region ISO 3166-2 */
export function isRegion(region: string): boolean {
	const places = placesOf.get(region.split("-", 1)[0] ?? "");
	return !places || zonesApart.has(region) || places.some((place) => place.region === region);
}

/** Whether it is a country's code (ISO 3166-1), or a region's that the country has (ISO 3166-2). */
export function isPlace(name: string): boolean {
	return isCountry(name.split("-", 1)[0] ?? "") && (!name.includes("-") || isRegion(name));
}

/** The zone of a country or region that has only one. */
export function soleZone(country: string, region?: string): string | undefined {
	const [first, ...others] = candidateZones(country, region);
	return others.every(({ zone }) => zone === first?.zone) ? first?.zone : undefined;
}

const regionalZones: Record<string, [zone: string, regions: string][]> = {
	US: [
		["America/New_York", "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC TN VA VT WV"],
		["America/Chicago", "AL AR FL IA IL IN KS KY LA MI MN MO MS ND NE OK SD TN TX WI"],
		["America/Denver", "AZ CO ID KS MT ND NE NM NV OR SD TX UT WY"],
		["America/Phoenix", "AZ"],
		["America/Los_Angeles", "CA ID NV OR WA"],
		["America/Anchorage", "AK"],
		["America/Adak", "AK"],
		["Pacific/Honolulu", "HI"],
	],
	CA: [
		["America/St_Johns", "NL"],
		["America/Goose_Bay", "NL"],
		["America/Halifax", "NS PE QC"],
		["America/Glace_Bay", "NS"],
		["America/Moncton", "NB"],
		["America/Blanc-Sablon", "QC"],
		["America/Toronto", "ON QC"],
		["America/Atikokan", "ON"],
		["America/Winnipeg", "MB ON"],
		["America/Regina", "SK"],
		["America/Edmonton", "AB BC NT SK"],
		["America/Dawson_Creek", "BC"],
		["America/Vancouver", "BC"],
		["America/Whitehorse", "YT"],
		["America/Inuvik", "NT"],
		["America/Iqaluit", "NU"],
		["America/Rankin_Inlet", "NU"],
		["America/Resolute", "NU"],
		["America/Cambridge_Bay", "NU"],
	],
	BR: [
		["America/Noronha", "PE"],
		["America/Recife", "PE"],
		["America/Bahia", "BA"],
		["America/Fortaleza", "CE MA PB PI RN"],
		["America/Maceio", "AL SE"],
		["America/Belem", "AP PA"],
		["America/Santarem", "PA"],
		["America/Araguaina", "TO"],
		["America/Sao_Paulo", "DF ES GO MG PR RJ RS SC SP"],
		["America/Cuiaba", "MT"],
		["America/Campo_Grande", "MS"],
		["America/Manaus", "AM"],
		["America/Boa_Vista", "RR"],
		["America/Porto_Velho", "RO"],
		["America/Eirunepe", "AM"],
		["America/Rio_Branco", "AC"],
	],
	AU: [
		["Australia/Sydney", "NSW ACT"],
		["Australia/Broken_Hill", "NSW"],
		["Australia/Lord_Howe", "NSW"],
		["Australia/Melbourne", "VIC"],
		["Australia/Brisbane", "QLD"],
		["Australia/Adelaide", "SA"],
		["Australia/Hobart", "TAS"],
		["Australia/Darwin", "NT"],
		["Australia/Perth", "WA"],
		["Australia/Eucla", "WA"],
	],
};

// Every place of a country, worked out once: each message asks.
const placesOf = new Map<string, readonly CandidateZone[]>(
	Object.entries(regionalZones).map(([country, table]) => [
		country,
		table.flatMap(([zone, regions]) => regions.split(" ").map((code) => ({ zone, region: `${country}-${code}` }))),
	]),
);

// Territories with a code within a country, which keep another time than any of its zones: whoever names one is there, and
// who names none is taken to be elsewhere, since their numbers have country codes of their own. ISO 3166-2.
const zonesApart = new Map<string, string[]>(
	Object.entries({
		"Pacific/Pago_Pago": "US-AS",
		"Pacific/Guam": "US-GU US-MP",
		"America/Puerto_Rico": "US-PR US-VI",
		"America/Guadeloupe": "FR-971 FR-GP FR-BL FR-MF",
		"America/Martinique": "FR-972 FR-MQ",
		"America/Cayenne": "FR-973 FR-GF",
		"Indian/Reunion": "FR-974 FR-RE",
		"Indian/Mayotte": "FR-976 FR-YT",
		"America/Miquelon": "FR-PM",
		"Pacific/Noumea": "FR-NC",
		"Pacific/Wallis": "FR-WF",
		"Indian/Kerguelen": "FR-TF",
		"America/Curacao": "NL-AW NL-CW NL-SX NL-BQ1 NL-BQ2 NL-BQ3",
	}).flatMap(([zone, regions]) => regions.split(" ").map((region): [string, string[]] => [region, [zone]])),
)
	.set("US-UM", ["Pacific/Midway", "Pacific/Wake"])
	.set("FR-PF", ["Pacific/Tahiti", "Pacific/Marquesas", "Pacific/Gambier"]);

const countryZones: Record<string, string[]> = {
	AT: ["Europe/Vienna"],
	AX: ["Europe/Mariehamn"],
	BE: ["Europe/Brussels"],
	BG: ["Europe/Sofia"],
	CY: ["Asia/Nicosia", "Asia/Famagusta"],
	CZ: ["Europe/Prague"],
	DE: ["Europe/Berlin"],
	DK: ["Europe/Copenhagen"],
	EE: ["Europe/Tallinn"],
	ES: ["Europe/Madrid", "Atlantic/Canary"],
	FI: ["Europe/Helsinki"],
	FR: ["Europe/Paris"],
	GB: ["Europe/London"],
	GF: ["America/Cayenne"],
	GP: ["America/Guadeloupe"],
	GR: ["Europe/Athens"],
	HR: ["Europe/Zagreb"],
	HU: ["Europe/Budapest"],
	IE: ["Europe/Dublin"],
	IN: ["Asia/Kolkata"],
	IS: ["Atlantic/Reykjavik"],
	IT: ["Europe/Rome"],
	LI: ["Europe/Vaduz"],
	LT: ["Europe/Vilnius"],
	LU: ["Europe/Luxembourg"],
	LV: ["Europe/Riga"],
	MF: ["America/Marigot"],
	MQ: ["America/Martinique"],
	MT: ["Europe/Malta"],
	NL: ["Europe/Amsterdam"],
	NO: ["Europe/Oslo"],
	PL: ["Europe/Warsaw"],
	PT: ["Europe/Lisbon", "Atlantic/Azores"],
	RE: ["Indian/Reunion"],
	RO: ["Europe/Bucharest"],
	SE: ["Europe/Stockholm"],
	SG: ["Asia/Singapore"],
	SI: ["Europe/Ljubljana"],
	SK: ["Europe/Bratislava"],
	YT: ["Indian/Mayotte"],
};

// UTC-12 to UTC+14; the sign is reversed in these names.
const anywhere = Array.from(
	{ length: 27 },
	(_, index) => `Etc/GMT${index <= 14 ? `-${14 - index}` : `+${index - 14}`}`,
);
