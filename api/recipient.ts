// A number as a caller or a carrier writes it, and what can be told from it alone: country, region, time zone. It goes nowhere.

import { type CountryCode, parsePhoneNumberFromString } from "libphonenumber-js/max";
import { LetheError } from "../domain/errors.ts";
import { Plaintext } from "../domain/plaintext.ts";
import { type Area, areaOf } from "../policies/areaCodes.ts";

/** `number` is in E.164; `range`: its country and first four digits, which many share. */
export type Recipient = { number: Plaintext; country: CountryCode; range: string } & Area;

const rangeDigits = 4;

/**
 * Reads a number in E.164.
 * @param pointer where the request holds it
 * @throws LetheError invalid_number
 */
export function readRecipient(written: Plaintext, pointer: string): Recipient {
	const text = written.reveal();
	const parsed = /^\+[1-9]\d{6,14}$/.test(text) ? parsePhoneNumberFromString(text) : undefined;
	// Numbers of no country (satellite, international freephone) have no law that a pack could know.
	if (!parsed?.country || !parsed.isValid()) {
		const detail = "Not a valid number in E.164: give +, country code and number, with nothing between them.";
		throw new LetheError("invalid_number", { errors: [{ pointer, detail }] });
	}
	const northAmerican = parsed.country === "US" || parsed.country === "CA";
	return {
		number: Plaintext.text(parsed.number),
		country: parsed.country,
		range: `${parsed.country}:${parsed.nationalNumber.slice(0, rangeDigits)}`,
		...(northAmerican ? areaOf(parsed.nationalNumber.slice(0, 3)) : {}),
	};
}
