// /v1/evidence: the log that an auditor reads, its checkpoint, its proofs, and a period of it to take away.

import { Readable } from "node:stream";
import { z } from "zod";
import { readShown } from "../../audit/entry.ts";
import { LetheError } from "../../domain/errors.ts";
import { type Entry, spanOf } from "../../domain/evidence.ts";
import { limits } from "../../domain/limits.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import { refuseReversed } from "../refuseReversed.ts";
import { fields, pageQuery, problems, schemas } from "../schemas.ts";
import { toTime } from "../toTime.ts";

type EvidenceDeps = Pick<ApiDeps, "evidenceExports"> & {
	store: { evidence: Pick<ApiDeps["store"]["evidence"], "pageOf"> };
};
type Item = Entry & { index: number };

const tags = ["evidence"];
const read = { config: { act: "evidence_read" } } as const;
const pageBundles = 16;
// What many bundles tell of may be another tenant's: of so many such a page may have nothing, and says where to go on.
const pageRoundsMax = 8;
const index = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const { time } = fields;

export function addEvidenceLog(app: Instance, deps: EvidenceDeps): void {
	addProofs(app, deps);
	addExport(app, deps);
	app.get(
		"/evidence",
		{
			...read,
			schema: {
				operationId: "listEvidence",
				summary: "List entries of the evidence log, the last integrated first",
				description:
					"The tenant's own, and those that concern every tenant. A page may have fewer than were asked for, or none: " +
					"`next` says that there is more to read.",
				tags,
				querystring: z.strictObject({ ...pageQuery, about: z.string().min(1).max(64).optional() }),
				response: { 200: schemas.evidencePage.describe("A page"), ...problems },
			},
		},
		async (request) => {
			const { cursor, limit, about } = request.query;
			const below = readIndex(cursor);
			const { tenantId } = request.principal;
			const { found, end } = await readPage(deps, { tenantId, about }, below, limit + 1);
			const items = found.slice(0, limit);
			const next = found.length > limit ? items.at(-1)?.index : end;
			return { items, ...(next === undefined ? {} : { next: formatIndex(next) }) };
		},
	);
}

function addProofs(app: Instance, { evidenceExports }: EvidenceDeps): void {
	app.get(
		"/evidence/checkpoint",
		{
			...read,
			schema: {
				operationId: "getEvidenceCheckpoint",
				summary: "The last checkpoint, a signed note (C2SP tlog-checkpoint)",
				tags,
				response: {
					200: { description: "The note", content: { "text/plain": { schema: z.string() } } },
					...problems,
				},
			},
		},
		async (_request, reply) => {
			const note = await evidenceExports.checkpoint();
			if (note === undefined) throw new LetheError("not_found");
			return reply.type("text/plain; charset=utf-8").send(note);
		},
	);
	app.get(
		"/evidence/:index/proof",
		{
			...read,
			schema: {
				operationId: "proveEvidence",
				summary: "Prove that the log of the last checkpoint holds an entry (RFC 6962, 2.1.1)",
				tags,
				params: z.strictObject({ index }),
				response: { 200: schemas.inclusionProof.describe("The entry and its path"), ...problems },
			},
		},
		async (request) => {
			const proof = await evidenceExports.prove(request.params.index, request.principal.tenantId);
			if (proof === undefined) throw new LetheError("not_found");
			return proof;
		},
	);
	app.get(
		"/evidence/growth",
		{
			...read,
			schema: {
				operationId: "proveEvidenceGrowth",
				summary: "Prove that the log has only grown since it had so many entries (RFC 6962, 2.1.2)",
				tags,
				querystring: z.strictObject({ older: index }),
				response: { 200: schemas.growthProof.describe("The path"), ...problems },
			},
		},
		async (request) => {
			const proof = await refuseRange("/querystring/older", () => evidenceExports.proveGrowth(request.query.older));
			if (proof === undefined) throw new LetheError("not_found");
			return proof;
		},
	);
}

function addExport(app: Instance, { evidenceExports }: EvidenceDeps): void {
	app.get(
		"/evidence/export",
		{
			config: { act: "evidence_exported", requestsPerMinuteMax: limits.exportsPerMinuteMax },
			schema: {
				operationId: "exportEvidence",
				summary: "Export what was integrated in a period, with its proof",
				description:
					"A line of JSON each: the header with the checkpoint, then every entry; other tenants' stand as their hashes. A checkpoint that covers the period is waited for, up to fifteen seconds; `uncovered` in the header counts what none covers. `lethe verify` checks it offline.",
				tags,
				querystring: z.strictObject({
					from: time.optional(),
					to: time.optional().meta({ description: "Not included." }),
					since: index
						.optional()
						.meta({ description: "Size of an older checkpoint, to be shown as the log's beginning." }),
				}),
				response: {
					200: { description: "The lines", content: { "application/x-ndjson": { schema: z.string() } } },
					...problems,
				},
			},
		},
		async (request, reply) => {
			refuseReversed(request.query, "/querystring");
			const { from, to, since } = request.query;
			const period = { from: toTime(from), to: toTime(to), since };
			const made = await refuseRange("/querystring/since", () =>
				evidenceExports.export(period, request.principal.tenantId),
			);
			if (made === undefined) throw new LetheError("not_found");
			// A stream is not serialised: the schema describes the text that comes of it.
			const text = Readable.from(withEnds(made.lines)) as unknown as string;
			return reply.type("application/x-ndjson; charset=utf-8").send(text);
		},
	);
}

type Wanted = { tenantId: string; about: string | undefined };

/** `end`: where to go on, when as much of the log was read as is at once. */
async function readPage({ store }: EvidenceDeps, wanted: Wanted, below: number, itemsMax: number) {
	const { tenantId, about } = wanted;
	const found: Item[] = [];
	let end = below;
	for (let round = 0; found.length < itemsMax && end > 0; round++) {
		if (round === pageRoundsMax) return { found, end };
		const of = about === undefined ? { tenantId } : { about };
		const bundles = await store.evidence.pageOf(of, end - 1, pageBundles);
		const shown = bundles.flatMap((bundle) => itemsOf(bundle, tenantId, below));
		found.push(...shown.filter((item) => about === undefined || item.about === about));
		const last = bundles.at(-1);
		end = last === undefined ? 0 : spanOf(last).start;
	}
	return { found: found.slice(0, itemsMax) };
}

/** What a tenant may see of a bundle, the last first. */
function itemsOf(bundle: Parameters<typeof spanOf>[0], tenantId: string, below: number): Item[] {
	const { start } = spanOf(bundle);
	const items = bundle.entries.flatMap((text, at) => {
		const entry = readShown(text, tenantId);
		return entry && start + at < below ? [{ index: start + at, ...entry }] : [];
	});
	return items.reverse();
}

async function* withEnds(lines: AsyncIterable<string>): AsyncGenerator<string> {
	for await (const line of lines) yield `${line}\n`;
}

async function refuseRange<T>(pointer: string, prove: () => Promise<T>): Promise<T> {
	try {
		return await prove();
	} catch (error) {
		if (!(error instanceof RangeError)) throw error;
		const errors = [{ pointer, detail: "The log of the last checkpoint is not as large." }];
		throw new LetheError("invalid_request", { errors });
	}
}

function readIndex(cursor: string | undefined): number {
	if (cursor === undefined) return Number.MAX_SAFE_INTEGER;
	const [, digits] = /^entry (\d{1,15})$/.exec(Buffer.from(cursor, "base64url").toString("latin1")) ?? [];
	if (digits !== undefined) return Number(digits);
	const errors = [{ pointer: "/querystring/cursor", detail: "Not a cursor that a page gave." }];
	throw new LetheError("invalid_request", { errors });
}

function formatIndex(at: number): string {
	return Buffer.from(`entry ${at}`).toString("base64url");
}
