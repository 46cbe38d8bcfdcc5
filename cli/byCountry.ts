// Options that name a country, or give something by country as in DE=10.

import { InvalidArgumentError } from "commander";
import { anywhere } from "../domain/abuse.ts";
import { countryOf, isCountry } from "../domain/country.ts";
import { Refusal } from "./run.ts";

/** What an option gives by country; undefined takes away what stands. */
export type ByCountry<Value> = Record<string, Value | undefined>;

/** The same code, if it is one. @throws InvalidArgumentError */
export function parseCountry(code: string): string {
	if (isCountry(code)) return code;
	const capitals = code.toUpperCase();
	if (isCountry(capitals)) throw new InvalidArgumentError(`Give the country in capitals: ${capitals}, not ${code}.`);
	const meant = countryOf(capitals);
	throw new InvalidArgumentError(meant ? `Give ${meant}, not ${code}.` : "Give a country of ISO 3166-1 such as DE.");
}

/** The same code, or `*` for all. @throws InvalidArgumentError */
export function parseCountryOrAll(code: string): string {
	return code === anywhere ? code : parseCountry(code);
}

/**
 * What is to be taken away: a country, or what an earlier build took for one and stands there, such as UK.
 * @throws Refusal
 */
export function parseTakenAway(code: string, standing: readonly string[]): string {
	if (standing.includes(code)) return code;
	try {
		return parseCountryOrAll(code);
	} catch (error) {
		throw new Refusal(`${code} does not stand there. ${(error as Error).message}`);
	}
}

/** As the API takes them. @throws InvalidArgumentError */
export function parseSegmentsPerSecond(text: string): number {
	if (!/^([1-9]\d{0,4}|100000)$/.test(text)) {
		throw new InvalidArgumentError("Give 1 to 100000 segments a second, or none.");
	}
	return Number(text);
}

/** An option's value, or the word that takes it away. */
export function orNone<Value>(parse: (text: string) => Value): (text: string) => Value | "none" {
	return (text) => (text === "none" ? text : parse(text));
}

/**
 * Reads each of an option's values.
 * @param example of a whole value, such as DE=10
 * @param parse reads what stands behind the country
 * @param parseKey reads the country
 */
export function collectByCountry<Value>(
	example: string,
	parse: (text: string) => Value,
	parseKey: (text: string) => string = parseCountry,
): (pair: string, before?: ByCountry<Value>) => ByCountry<Value> {
	return (pair, before = {}) => {
		const [, key, text] = /^([^=]+)=(.+)$/s.exec(pair) ?? [];
		if (key === undefined || text === undefined) throw new InvalidArgumentError(`Give it as in ${example}.`);
		const value = orNone(parse)(text);
		// What is taken away is looked for among what stands.
		return { ...before, ...(value === "none" ? { [key]: undefined } : { [parseKey(key)]: value }) };
	};
}

/** What stands, changed so; null where nothing is left. @throws Refusal */
export function changeByCountry<Value>(
	now: Record<string, Value> = {},
	given: ByCountry<Value>,
): Record<string, Value> | null {
	for (const [code, value] of Object.entries(given)) {
		if (value === undefined) parseTakenAway(code, Object.keys(now));
	}
	return orNull({ ...now, ...given });
}

/** Without what is undefined; null where nothing is left. */
export function orNull<Value>(fields: Record<string, Value | undefined>): Record<string, Value> | null {
	const left = Object.entries(fields).filter(([, value]) => value !== undefined);
	return left.length > 0 ? (Object.fromEntries(left) as Record<string, Value>) : null;
}
