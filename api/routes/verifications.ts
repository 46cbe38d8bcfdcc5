// /v1/verifications: one-time codes that Lethe makes, sends and checks; the caller never sees one.

import { z } from "zod";
import { limits } from "../../domain/limits.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import { attemptsLeftOf, resendAtOf, stateOf, type Verification } from "../../domain/verification.ts";
import type { Instance } from "../instance.ts";
import { problems, schemas } from "../schemas.ts";
import { createVerify, type VerifyDeps } from "../verify.ts";

const tags = ["verifications"];
const params = z.strictObject({ id: z.string().max(64) });

const verification = z
	.object({
		id: z.string(),
		state: z.enum(["pending", "approved", "locked", "expired", "replaced"]),
		expiresAt: z.string(),
		attemptsLeft: z.int().meta({ description: "Guesses that are still counted; wrong ones of a day add up." }),
		resendAt: z.string().meta({ description: "When another code may be sent to this number." }),
	})
	.meta({ id: "Verification" });
const guess = z
	.strictObject({
		code: z
			.string()
			.regex(/^\d{6,10}$/, { error: "Six to ten digits." })
			.transform(Plaintext.text)
			.meta({ description: "What the recipient typed. It is answered nowhere." }),
	})
	.meta({ id: "VerificationCheck", example: { code: "123456" } });
const verdict = z
	.object({
		valid: z.boolean(),
		reason: z
			.enum(["wrong", "expired", "locked", "used", "replaced"])
			.optional()
			.meta({ description: "Why not. `locked`: guessed at too often; `replaced`: a newer code was sent." }),
		attemptsLeft: z.int(),
	})
	.meta({ id: "VerificationVerdict" });

export function addVerifications(app: Instance, deps: VerifyDeps): void {
	const verify = createVerify(deps);
	const view = (record: Verification, id: string): z.output<typeof verification> => {
		const now = deps.clock();
		const state = stateOf(record, id, now);
		// Of one that was replaced nothing is known but that it ended with the next.
		const { createdAt, expiresAt } = record.current;
		return {
			id,
			state,
			expiresAt: new Date(state === "replaced" ? createdAt : expiresAt).toISOString(),
			attemptsLeft: attemptsLeftOf(record, id, now),
			resendAt: new Date(resendAtOf(record, now)).toISOString(),
		};
	};

	app.post(
		"/verifications",
		{
			schema: {
				operationId: "createVerification",
				summary: "Send a one-time code to a number",
				description: `The code of before, if there is one, counts no more. ${limits.verificationSendsPerHourMax} an hour and number, with a wait between them.`,
				tags,
				body: schemas.verificationInput,
				response: {
					202: verification.describe("On its way, unless the recipient must not be written to"),
					...problems,
				},
			},
		},
		async (request, reply) => {
			const again = request.idempotencyClaim?.again === true;
			const made = { id: request.newId("verification"), messageId: request.newId("message"), again };
			const record = await verify.start(request.principal, request.body, made);
			return reply.code(202).send(view(record, made.id));
		},
	);

	app.get(
		"/verifications/:id",
		{
			schema: {
				operationId: "getVerification",
				summary: "How a code stands",
				tags,
				params,
				response: { 200: verification.describe("Found; a day later there is nothing of it"), ...problems },
			},
		},
		async ({ principal, params }) => view(await verify.require(principal, params.id), params.id),
	);

	app.post(
		"/verifications/:id/check",
		{
			config: { secretAnswer: true },
			schema: {
				operationId: "checkVerification",
				summary: "Check what the recipient typed; each check counts, and a right code serves once",
				tags,
				params,
				body: guess,
				response: { 200: verdict.describe("Right or not"), ...problems },
			},
		},
		async (request) => {
			const { principal, params, body } = request;
			const { outcome, record } = await verify.guess(principal, params.id, body.code, request.newId("request"));
			const attemptsLeft = attemptsLeftOf(record, params.id, deps.clock());
			return outcome === "approved" ? { valid: true, attemptsLeft } : { valid: false, reason: outcome, attemptsLeft };
		},
	);
}
