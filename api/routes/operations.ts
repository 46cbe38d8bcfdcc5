// Health, readiness and metrics, for whoever runs this process.

import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { isWithin } from "../addresses.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import type { Metrics } from "../metrics.ts";
import { problems } from "../schemas.ts";

// Without these nothing can be accepted, nor in quarantine; without the others it only waits.
const needed = ["mongodb", "vault", "policies", "quarantine"];

// What a proxy adds of itself: one that adds nothing can't be told from whoever stands on this machine.
const ofProxies = ["x-forwarded-for", "forwarded", "via", "x-real-ip"];

const health = z.object({ status: z.literal("up"), version: z.string() });
const readiness = z.object({ ready: z.boolean(), checks: z.record(z.string(), z.enum(["up", "down"])) });

type Readiness = z.output<typeof readiness>;

export function addOperations(
	app: Instance,
	deps: Pick<ApiDeps, "checks" | "clock" | "metricsFrom" | "version"> & {
		metrics: Pick<Metrics, "contentType" | "read">;
	},
): void {
	let kept: { answer: Promise<Readiness>; until: number } | undefined;

	// Nobody is asked who they are here: however often they come, each server is asked once a second.
	function readReadiness(): Promise<Readiness> {
		const now = deps.clock();
		if (!kept || now >= kept.until) kept = { answer: runChecks(deps.checks), until: now + limits.readinessKeptMs };
		return kept.answer;
	}

	const tags = ["operations"];
	// The same routes stand below the version too, for who reaches nothing else.
	const named = app.prefix === "" ? "get" : "getVersioned";
	app.get(
		"/healthz",
		{
			schema: {
				operationId: `${named}Health`,
				summary: "Whether this process answers",
				tags,
				response: { 200: health.describe("It does"), ...problems },
			},
		},
		async () => ({ status: "up" as const, version: deps.version }),
	);
	app.get(
		"/readyz",
		{
			schema: {
				operationId: `${named}Readiness`,
				summary: "Whether messages can be accepted, and which servers answer",
				tags,
				response: {
					200: readiness.describe("They can"),
					503: readiness.describe("They can't: a server that is needed is down, or the store is in quarantine"),
					...problems,
				},
			},
		},
		async (_request, reply) => {
			const answer = await readReadiness();
			return reply.code(answer.ready ? 200 : 503).send(answer);
		},
	);
	app.get(
		"/metrics",
		{
			schema: {
				operationId: `${named}Metrics`,
				summary: "Counters, in Prometheus's format",
				description:
					"From the networks of `LETHE_METRICS_FROM` only, by loopback unless that is set: 403 from elsewhere.",
				tags,
				response: {
					200: { description: "The counters", content: { "text/plain": { schema: z.string() } } },
					...problems,
				},
			},
			onRequest: async (request) => requireNear(request, deps.metricsFrom),
		},
		async (_request, reply) => reply.type(deps.metrics.contentType).send(await deps.metrics.read()),
	);
}

/** @throws LetheError address_refused */
function requireNear({ ip, headers, socket }: FastifyRequest, from: readonly string[]): void {
	// Through a proxy that nobody told of: it is near, and whoever asked it may be anywhere.
	const isPassedOn = ip === socket.remoteAddress && ofProxies.some((name) => headers[name] !== undefined);
	if (isPassedOn || !isWithin(from, ip)) throw new LetheError("address_refused");
}

async function runChecks(checks: ApiDeps["checks"]): Promise<Readiness> {
	const results = await Promise.all(
		Object.entries(checks).map(async ([name, check]) => [name, await runCheck(check)] as const),
	);
	const answer = Object.fromEntries(results);
	return { ready: needed.every((name) => answer[name] === "up"), checks: answer };
}

async function runCheck(check: () => Promise<unknown>): Promise<"up" | "down"> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<"down">((resolve) => {
		timer = setTimeout(() => resolve("down"), limits.readinessCheckMsMax);
	});
	const answered = Promise.resolve()
		.then(check)
		.then(
			() => "up" as const,
			() => "down" as const,
		);
	return Promise.race([answered, late]).finally(() => clearTimeout(timer));
}
