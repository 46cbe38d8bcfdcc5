// What the API counts. Labels are routes, codes and enums; nothing that tells of a person.

import { setTimeout as sleep } from "node:timers/promises";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { limits } from "../domain/limits.ts";

export type Metrics = ReturnType<typeof createMetrics>;

/** Counters of one API process, with a registry of their own. */
export function createMetrics() {
	const registry = new Registry();
	collectDefaultMetrics({ register: registry });
	const requests = new Histogram({
		name: "lethe_http_request_seconds",
		help: "Time from request to answer, by route pattern.",
		labelNames: ["method", "route", "status"],
		buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
		registers: [registry],
	});
	const acceptances = new Counter({
		name: "lethe_acceptances_total",
		help: "Messages offered, by what became of them: accepted, replayed, or an error code.",
		labelNames: ["category", "result"],
		registers: [registry],
	});
	const callbacks = new Counter({
		name: "lethe_callbacks_total",
		help: "Carrier events, by effect; requests that were refused, by reason.",
		labelNames: ["carrier", "result"],
		registers: [registry],
	});

	const credentialAlerts = new Counter({
		name: "lethe_credential_alerts_total",
		help: "Uses of credentials that may have leaked, by what tells so.",
		labelNames: ["reason"],
		registers: [registry],
	});

	/** A figure that is read when it is asked for; none while that fails or takes too long: the others are told meanwhile. */
	function watch(name: string, help: string, read: () => Promise<number>): void {
		new Gauge({
			name,
			help,
			registers: [registry],
			async collect() {
				const late = sleep(limits.metricReadMsMax, Number.NaN, { ref: false });
				this.set(await Promise.race([read().catch(() => Number.NaN), late]));
			},
		});
	}

	return {
		watch,
		countAcceptance: (category: string, result: string) => acceptances.inc({ category, result }),
		countCallback: (carrier: string, result: string) => callbacks.inc({ carrier, result }),
		countCredentialAlert: (reason: string) => credentialAlerts.inc({ reason }),
		observeRequest: (method: string, route: string, status: number, seconds: number) =>
			requests.observe({ method, route, status }, seconds),
		contentType: registry.contentType,
		/** In Prometheus's text format. */
		read: () => registry.metrics(),
	};
}
