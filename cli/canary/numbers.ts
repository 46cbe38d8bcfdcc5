// The ways in which people and programs write one phone number.

import parsePhoneNumber from "libphonenumber-js/max";

/** National significant number: what every contiguous written form ends in. */
export function nationalDigits(number: string): string {
	return parse(number).nationalNumber;
}

/** The number as people and programs write it without separators, the shortest last. */
export function contiguousForms(number: string): string[] {
	const digits = number.slice(1);
	return [number, digits, `00${digits}`, nationalTrunk(number), nationalDigits(number)];
}

/** The national part with the separators in common use. */
export function separatedForms(number: string): string[] {
	const parsed = parse(number);
	const groups = parsed.formatInternational().split(" ").slice(1);
	const pairs = parsed.nationalNumber.match(/\d{1,2}/g) ?? [];
	const written = [groups, pairs].flatMap((parts) => [" ", "-", "."].map((separator) => parts.join(separator)));
	return [...new Set([...written, parsed.formatNational()])];
}

/** The number written with separators, international and national. */
export function writtenForms(number: string): string[] {
	const parsed = parse(number);
	const international = parsed.formatInternational();
	return [...new Set([international, international.replaceAll(" ", "-"), parsed.formatNational()])];
}

/** The national form with its trunk prefix, without separators: 0151…. */
export function nationalTrunk(number: string): string {
	return parse(number).formatNational().replace(/\D/g, "");
}

function parse(number: string) {
	const parsed = parsePhoneNumber(number);
	if (!parsed) throw new TypeError("a marked number is not in E.164");
	return parsed;
}
