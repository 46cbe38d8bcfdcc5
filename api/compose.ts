// From what a caller asked for to a message with a text: a template filled with its variables, or the text as it came.

import type { TemplateDocument } from "../adapters/mongo/templates.ts";
import { createCache } from "../domain/cache.ts";
import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { type Substitution, substituteLookalikes } from "../domain/lookalikes.ts";
import { Plaintext } from "../domain/plaintext.ts";
import { fillTemplate } from "../domain/template.ts";
import { addTag } from "../domain/textTag.ts";
import type { ApiDeps } from "./deps.ts";
import { readRecipient } from "./recipient.ts";
import type { MessageInput } from "./schemas.ts";
import { createTextTags, type TextTagsDeps } from "./textTags.ts";

/**
 * A request that has the text that is judged, encrypted and sent; `dataClasses` include those of the variables that went
 * into it. `substituted` is there when look-alikes were to be.
 */
export type ComposedInput = MessageInput & { body: Plaintext; substituted?: Omit<Substitution, "text"> };

export type ComposeDeps = Pick<ApiDeps, "clock"> &
	TextTagsDeps & {
		store: { templates: Pick<ApiDeps["store"]["templates"], "find"> };
	};

// A template's text never changes; that it was retired is known everywhere within this time.
const cacheMs = 5_000;
const cachedMax = 1_000;

/** @throws LetheError invalid_request where the template is not there, or its variables are not the declared ones */
export function createCompose(deps: ComposeDeps) {
	const { tagOf } = createTextTags(deps);
	const find = createCache<TemplateDocument>({
		load: deps.store.templates.find,
		clock: deps.clock,
		ttlMs: cacheMs,
		itemsMax: cachedMax,
	});

	return async function compose(tenantId: string, input: MessageInput): Promise<ComposedInput> {
		const filled = await fill(tenantId, input);
		if (!input.substitute) return tagged(tenantId, filled);
		const { text, ...substituted } = substituteLookalikes(filled.body.reveal());
		const body = substituted.characters > 0 ? Plaintext.text(text) : filled.body;
		return tagged(tenantId, { ...filled, body, substituted });
	};

	/** Last: the tag is over what is sent, and counts as a part of it. */
	async function tagged(tenantId: string, input: ComposedInput): Promise<ComposedInput> {
		if (!input.tag) return input;
		const { number } = readRecipient(input.to, "/to");
		const text = input.body.reveal();
		const whole = addTag(text, await tagOf(tenantId, number, text));
		if (whole.length > limits.textCharactersMax) {
			throw invalid([{ pointer: "/body", detail: "Too long with its tag." }]);
		}
		return { ...input, body: Plaintext.text(whole) };
	}

	async function fill(tenantId: string, input: MessageInput): Promise<ComposedInput> {
		const { body, template: id, variables } = input;
		if (body !== undefined) return { ...input, body };
		const template = id === undefined ? undefined : await find(id);
		if (template?.tenantId !== tenantId || template.retiredAt !== undefined) {
			throw invalid([
				{
					pointer: "/template",
					detail: "No such template, or one that is retired: it takes the template's id, not its name.",
				},
			]);
		}
		if (template.category !== undefined && template.category !== input.category) {
			throw invalid([{ pointer: "/category", detail: "Not the template's." }]);
		}
		const filled = fillTemplate(template, variables ?? {});
		if ("faults" in filled) throw invalid(filled.faults);
		const classes = Object.values(template.variables).map(({ dataClass }) => dataClass);
		const dataClasses = [...new Set([...input.dataClasses, ...classes])] as MessageInput["dataClasses"];
		return { ...input, body: filled.text, dataClasses };
	}
}

function invalid(errors: { pointer: string; detail: string }[]): LetheError {
	return new LetheError("invalid_request", { errors });
}
