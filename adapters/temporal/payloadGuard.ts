// Refuses to hand Temporal anything but opaque ids, enums, counts and times: the codec that guards instead of hiding.

import type { Payload, PayloadCodec } from "@temporalio/common";
import { z } from "zod";
import { countFields, payloadFields, summaries, workflowNames } from "../../workflows/contract.ts";

const sentences = new Set<string>(Object.values(summaries));
const opaqueText = /^(?:[a-z]{2,5}[_-][a-km-zA-G_]{20,40}|[a-z][a-z_]{0,30})$/;
const decoder = new TextDecoder();

// What a type answers to, Temporal's own questions among it; only those are described, in words of its SDK.
const handlers = z
	.array(
		z.strictObject({
			name: z.string().regex(/^[A-Za-z_]{1,40}$/),
			description: z
				.string()
				.regex(/^Returns [a-z ]{1,60}\.$/)
				.optional(),
		}),
	)
	.max(20);
const metadataSchema = z.strictObject({
	definition: z.strictObject({
		type: z.enum(workflowNames),
		queryDefinitions: handlers,
		signalDefinitions: handlers,
		updateDefinitions: handlers,
	}),
	currentDetails: z.unknown(),
});

/**
 * A codec that lets declared payloads through unchanged and throws on any other.
 * @throws TypeError `payload_refused <field>`; the value is never part of the error
 */
export function createPayloadGuard(): PayloadCodec {
	return {
		async encode(payloads: Payload[]): Promise<Payload[]> {
			for (const payload of payloads) check(payload);
			return payloads;
		},
		async decode(payloads: Payload[]): Promise<Payload[]> {
			return payloads;
		},
	};
}

function check(payload: Payload): void {
	const encoding = payload.metadata?.encoding ? decoder.decode(payload.metadata.encoding) : "";
	if (encoding === "binary/null") return;
	if (encoding !== "json/plain") throw new TypeError("payload_refused encoding");
	const value: unknown = JSON.parse(decoder.decode(payload.data ?? new Uint8Array()));
	if (isMetadata(value)) {
		checkMetadata(value);
		return;
	}
	// Arguments and results may be a bare count or flag.
	if (typeof value === "boolean" || payloadFields.count?.(value)) return;
	checkValue(value, "root");
}

// What the UI asks a run for: its type's definition, which is code, and the details line.
function isMetadata(value: unknown): value is { currentDetails: unknown } {
	return typeof value === "object" && value !== null && "definition" in value && "currentDetails" in value;
}

function checkMetadata(value: { currentDetails: unknown }): void {
	if (!metadataSchema.safeParse(value).success) throw new TypeError("payload_refused definition");
	checkField("currentDetails", value.currentDetails);
}

function checkValue(value: unknown, field: string): void {
	if (value === null || value === undefined) return;
	if (typeof value === "string") {
		if (sentences.has(value) || opaqueText.test(value)) return;
		throw new TypeError(`payload_refused ${field}`);
	}
	if (Array.isArray(value)) {
		for (const item of value) checkValue(item, field);
		return;
	}
	if (typeof value !== "object") throw new TypeError(`payload_refused ${field}`);
	for (const [key, entry] of Object.entries(value)) checkField(key, entry);
}

function checkField(key: string, value: unknown): void {
	if (countFields.includes(key)) {
		for (const [name, count] of Object.entries(value as Record<string, unknown>)) {
			if (!opaqueText.test(name) || !payloadFields.count?.(count)) throw new TypeError("payload_refused counts");
		}
		return;
	}
	if (key === "groups" && Array.isArray(value)) {
		for (const item of value) checkValue(item, key);
		return;
	}
	// What every object answers to is no field.
	const accepts = Object.hasOwn(payloadFields, key) ? payloadFields[key] : undefined;
	if (!accepts) throw new TypeError("payload_refused undeclared_field");
	if (!accepts(value)) throw new TypeError(`payload_refused ${key}`);
}
