// A template: a text with named places, and of each place what kind of data may fill it and how much of it.

import { limits } from "./limits.ts";
import { Plaintext } from "./plaintext.ts";

/** `dataClass` is a class of the policies' vocabulary; a value longer than `charactersMax` UTF-16 units is refused. */
export type TemplateVariable = { dataClass: string; charactersMax: number };
export type Template = { text: string; variables: Record<string, TemplateVariable> };

/** Where in a request something is wrong: a JSON pointer, and a sentence that quotes no value. */
export type TemplateFault = { pointer: string; detail: string };

/** Letters only: a name is told in errors, and must not be able to carry a number. */
export const variableNamePattern = /^[a-z][A-Za-z]{0,31}$/;

const place = /\{\{([a-z][A-Za-z]{0,31})\}\}/g;

/** What keeps a template from being used: places that nothing declares, variables without a place, braces that are neither. */
export function templateFaults({ text, variables }: Template): TemplateFault[] {
	const named = new Set([...text.matchAll(place)].map(([, name]) => name as string));
	const faults: TemplateFault[] = [];
	for (const name of named) {
		if (!Object.hasOwn(variables, name)) faults.push({ pointer: `/variables/${name}`, detail: "Not declared." });
	}
	for (const name of Object.keys(variables)) {
		if (!named.has(name)) faults.push({ pointer: `/variables/${name}`, detail: "The text has no place for it." });
	}
	if (/\{\{|\}\}/.test(text.replaceAll(place, ""))) {
		faults.push({ pointer: "/text", detail: "Double braces that enclose no variable's name." });
	}
	return faults;
}

/**
 * The text with every place filled. Values are put in as they are: braces in them mean nothing.
 * Answers what is wrong instead when a variable is missing, not declared or too long, or the text becomes too long.
 */
export function fillTemplate(
	template: Template,
	values: Record<string, Plaintext>,
): { text: Plaintext } | { faults: TemplateFault[] } {
	const faults: TemplateFault[] = [];
	for (const [name, { charactersMax }] of Object.entries(template.variables)) {
		const value = Object.hasOwn(values, name) ? values[name] : undefined;
		const pointer = `/variables/${name}`;
		if (value === undefined) faults.push({ pointer, detail: "Missing." });
		else if (value.reveal().length > charactersMax) faults.push({ pointer, detail: "Longer than the template takes." });
	}
	for (const name of Object.keys(values)) {
		if (!Object.hasOwn(template.variables, name)) {
			faults.push({ pointer: `/variables/${name}`, detail: "The template declares no such variable." });
		}
	}
	if (faults.length > 0) return { faults };
	const text = template.text.replaceAll(place, (_, name: string) => (values[name] as Plaintext).reveal());
	if (text.length > limits.textCharactersMax) {
		return { faults: [{ pointer: "/variables", detail: "The text becomes longer than a message may be." }] };
	}
	return { text: Plaintext.text(text) };
}
