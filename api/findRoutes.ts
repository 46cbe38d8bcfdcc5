// The send queues that a message may take, by what is set, by the recipient's sender, and by how their carriers do.

import type { SendQueueDocument, TenantDocument } from "../adapters/mongo/models.ts";
import { createCache } from "../domain/cache.ts";
import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { type Routed, routes } from "../domain/routes.ts";
import type { ApiDeps } from "./deps.ts";

export type FindRoutesDeps = Pick<ApiDeps, "clock"> & {
	sendQueues: Pick<ApiDeps["sendQueues"], "areIll">;
	store: {
		sendQueues: Pick<ApiDeps["store"]["sendQueues"], "find">;
		subjectMessages: Pick<ApiDeps["store"]["subjectMessages"], "newestSender">;
	};
};

type Asked = Omit<Routed, "regions">;

const cachedMax = 1_000;
const healthMs = 1_000;

export function createFindRoutes(deps: FindRoutesDeps) {
	const bounds = { clock: deps.clock, ttlMs: limits.tenantSeenMs, itemsMax: cachedMax };
	const findQueue = createCache<SendQueueDocument>({ ...bounds, load: deps.store.sendQueues.find });
	const findIll = createCache<ReadonlySet<string>>({
		...bounds,
		ttlMs: healthMs,
		load: (names) => deps.sendQueues.areIll(names.split(" ")),
	});

	async function queuesOf({ sendQueues }: Pick<TenantDocument, "sendQueues">): Promise<SendQueueDocument[]> {
		return (await Promise.all(sendQueues.map(findQueue))).filter((queue) => queue !== undefined);
	}

	/** The sender of the recipient's last message of that category; nobody is asked where there is one sender only. */
	async function findKnown(queues: SendQueueDocument[], { category, sender }: Asked, macs: readonly string[]) {
		if (sender !== undefined || new Set(queues.map((queue) => queue.sender)).size < 2) return undefined;
		return deps.store.subjectMessages.newestSender(macs, category, deps.clock() - limits.senderKnownMs);
	}

	return {
		/** The best first; none may be. @param macs the recipient's pseudonyms */
		async findRoutes(tenant: TenantDocument, asked: Asked, macs: readonly string[]): Promise<SendQueueDocument[]> {
			const message = { ...asked, regions: tenant.regions };
			const found = routes(await queuesOf(tenant), message);
			if (found.length < 2) return found;
			const [known, ill] = await Promise.all([
				findKnown(found, asked, macs),
				// While Redis does not say, all are well.
				findIll(found.map(({ _id }) => _id).join(" ")).catch(() => undefined),
			]);
			return routes(found, message, { known, ...(ill ? { ill } : {}) });
		},

		/** @throws LetheError no_route, for a message that none of them may take */
		async refuseRoute(tenant: TenantDocument, { sender }: Pick<Asked, "sender">): Promise<never> {
			const isSender = sender === undefined || (await queuesOf(tenant)).some((queue) => queue.sender === sender);
			const errors = isSender ? [] : [{ pointer: "/sender", detail: "Not one of the tenant's senders." }];
			throw new LetheError("no_route", { errors });
		},
	};
}
