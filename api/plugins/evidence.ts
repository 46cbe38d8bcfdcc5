// Reads and refusals, in the evidence log before they are answered: what can't be entered is not answered.

import type { FastifyInstance, FastifyRequest } from "fastify";
import { createMemory } from "../../domain/cache.ts";
import type { Act, ActType } from "../../domain/evidence.ts";
import { isAnyId } from "../../domain/ids.ts";
import type { ApiDeps } from "../deps.ts";
import type { Principal } from "./auth.ts";

declare module "fastify" {
	interface FastifyContextConfig {
		/** The act that every request of this route is. Where it depends on the request, its handler enters it. */
		act?: ActType;
	}
}

// Whoever is refused may come again as often as they like, with a key or without: they don't fill the log.
const refusalsEveryMs = 10_000;
const refusedMax = 10_000;

/** Add it after authentication, and after idempotency: an answer that is given again is no act. */
export function addEvidence(app: FastifyInstance, deps: Pick<ApiDeps, "evidence" | "clock">): void {
	const remember = createMemory({ clock: deps.clock, itemsMax: refusedMax });
	/** Enters a refusal, unless one of that name was entered just before; those that come with it wait for it. */
	const enterRefusal = (name: string, act: Act) =>
		remember(name, refusalsEveryMs, async () => {
			await deps.evidence.append([act]);
			return true;
		});

	app.addHook("preHandler", async (request) => {
		const { act } = request.routeOptions.config;
		if (act) await deps.evidence.append([actOf(request.principal, act, { ...ofRoute(request), ...aboutOf(request) })]);
	});

	app.addHook("onSend", async (request, reply, payload) => {
		const { principal } = request;
		const route = ofRoute(request);
		if (reply.statusCode === 403 && principal) {
			await enterRefusal(`${principal.id} ${route.code}`, actOf(principal, "denied", route));
		} else if ([401, 403].includes(reply.statusCode)) {
			await enterRefusal("strangers", { type: "denied", ...route });
		}
		return payload;
	});
}

/** An act of a principal. */
export function actOf(principal: Principal, type: ActType, more: Pick<Act, "about" | "code"> = {}): Act {
	return { type, tenantId: principal.tenantId, by: principal.id, ...more };
}

/** Enters that a principal reads what another has sent; the sender is told how its own fares, as often as it asks. */
export async function enterRead(
	deps: Pick<ApiDeps, "evidence">,
	principal: Principal,
	{ about, senderId }: { about: string; senderId: string | undefined },
): Promise<void> {
	if (senderId !== principal.id) await deps.evidence.append([actOf(principal, "record_read", { about })]);
}

function ofRoute(request: FastifyRequest): Pick<Act, "code"> {
	const { operationId } = (request.routeOptions.schema ?? {}) as { operationId?: string };
	return operationId === undefined ? {} : { code: operationId };
}

function aboutOf(request: FastifyRequest): Pick<Act, "about"> {
	const { id } = (request.params ?? {}) as { id?: string };
	// What is no id is nobody's, and may be anything.
	return id !== undefined && isAnyId(id) ? { about: id } : {};
}
