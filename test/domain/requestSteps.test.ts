// A subject's request as people change it: what each step leaves behind, and which reminders that ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { LetheError } from "../../domain/errors.ts";
import { requestSteps } from "../../domain/requestSteps.ts";
import { dueAlerts, type SubjectRequest } from "../../domain/subjectRequest.ts";

const dayMs = 86_400_000;
const receivedAt = Date.parse("2027-01-04T09:00:00Z");
const by = (days: number) => ({ id: "usr_a", at: receivedAt + days * dayMs });

function requestOf(more: Partial<SubjectRequest> = {}): SubjectRequest {
	return {
		...{ _id: "dsr_a", tenantId: "ten_a", kind: "access", state: "received", subjects: ["mac"], channel: "letter" },
		...{ receivedAt, recordedAt: receivedAt, recordedBy: "usr_a", facts: {} as SubjectRequest["facts"] },
		decision: { allowed: true, reasons: [], citations: [], packs: [], rules: [] } as SubjectRequest["decision"],
		...{ ackBy: "2027-01-18", respondBy: "2027-02-18", extendableTo: "2027-04-04" },
		...{ tasks: [], alerts: [], certificates: [], exports: [], log: [] },
		...more,
	};
}

const identity = { method: "id_document", evidence: "case-a", ownedFrom: 0 };
const soon = (request: SubjectRequest) =>
	dueAlerts(request, Date.parse("2027-01-18T00:00:00Z")).due.includes("acknowledge_soon");

const refusedFor =
	(code: string, ...pointers: string[]) =>
	(error: LetheError) => {
		assert.deepEqual([error.code, ...error.errors.map(({ pointer }) => pointer)], [code, ...pointers]);
		return true;
	};

test("only that the requester was told ends the reminder to tell them: no check of who asks does", () => {
	for (const confirmed of [false, true]) {
		const checked = requestSteps.identify(requestOf(), { ...identity, confirmed }, by(1));
		assert.equal(checked.acknowledgedAt, undefined);
		assert.ok(soon(checked));
		const told = requestSteps.acknowledge(checked, by(2));
		assert.equal(told.acknowledgedAt, by(2).at);
		assert.ok(!soon(told));
	}
});

test("an extension counts from when the person was told: after the request came, not ahead of now, and before the first time was over", () => {
	const extended = (toldAt: number, at = by(20)) =>
		requestSteps.extend(requestOf(), { to: "2027-04-04", reason: "complex", toldAt }, at);
	assert.equal(extended(by(20).at).extensionToldAt, by(20).at);
	const lastMoment = Date.parse("2027-02-19T00:00:00Z") - 1;
	assert.equal(extended(lastMoment, by(60)).extendedTo, "2027-04-04", "told in time, entered later");
	assert.throws(() => extended(lastMoment + 1, by(60)), refusedFor("extension_refused", "/toldAt"));
	assert.throws(() => extended(by(21).at), refusedFor("invalid_request", "/toldAt"));
	assert.throws(() => extended(receivedAt - 1), refusedFor("invalid_request", "/toldAt"));
});

test("an extension that is entered again changes nothing, and another is refused", () => {
	const told = { to: "2027-03-20", reason: "complex", toldAt: by(5).at };
	const once = requestSteps.extend(requestOf(), told, by(6));
	assert.equal(requestSteps.extend(once, told, by(7)), once);
	for (const other of [{ to: "2027-04-04" }, { toldAt: by(6).at }]) {
		assert.throws(() => requestSteps.extend(once, { ...told, ...other }, by(7)), refusedFor("extension_refused"));
	}
});

test("a day that no extension may have is refused by the days between which it may be", () => {
	const told = { reason: "complex", toldAt: by(5).at };
	for (const to of ["2027-02-18", "2027-04-05"]) {
		assert.throws(
			() => requestSteps.extend(requestOf(), { to, ...told }, by(6)),
			(error: LetheError) =>
				refusedFor("extension_refused", "/to")(error) && /2027-02-18.*2027-04-04/.test(error.errors[0]?.detail ?? ""),
		);
	}
});

test("a number can't have become theirs later than now: that is said of since when, whether it still is or not", () => {
	const refused = (ownedFrom: number, more: { ownedUntil?: number } = {}) =>
		assert.throws(
			() => requestSteps.identify(requestOf(), { ...identity, confirmed: true, ownedFrom, ...more }, by(1)),
			refusedFor("invalid_request", more.ownedUntil && ownedFrom < by(1).at ? "/ownedUntil" : "/ownedFrom"),
		);
	refused(by(1).at);
	refused(by(2).at, { ownedUntil: by(3).at });
	refused(1, { ownedUntil: by(2).at });
	refused(2, { ownedUntil: 1 });
});

test("an answer ends every reminder, the one to acknowledge too", () => {
	const closed = requestSteps.close(requestOf(), { outcome: "refused", ground: "no_law" }, by(1));
	assert.deepEqual(dueAlerts(closed, receivedAt + 1_000 * dayMs), { due: [] });
});

test("a time that was extended by less than a week has its own reminders, though those of before have come", () => {
	const [firstOver, overAt] = ["2027-02-19", "2027-02-22"].map((day) => Date.parse(`${day}T00:00:00Z`)) as [
		number,
		number,
	];
	const alerts = [
		{ code: "answer_soon" as const, at: firstOver - 7 * dayMs },
		{ code: "answer_late" as const, at: firstOver },
	];
	const late = requestOf({ alerts, acknowledgedAt: receivedAt });
	const told = { to: "2027-02-21", reason: "complex", toldAt: by(20).at };
	const extended = requestSteps.extend(late, told, { id: "usr_a", at: firstOver + dayMs });
	assert.deepEqual(dueAlerts(extended, overAt - 1), { due: ["answer_soon"], nextAt: overAt });
	assert.ok(dueAlerts(extended, overAt).due.includes("answer_late"));
	const raised = [{ code: "answer_late" as const, at: overAt }, ...extended.alerts];
	assert.ok(!dueAlerts({ ...extended, alerts: raised }, overAt + dayMs).due.includes("answer_late"), "once");
});

test("a task that comes up after another was decided is reminded of, too, and each once", () => {
	const task = (name: string, days: number) => ({
		...{ name, reasons: [], citations: [], messageIds: [], raisedAt: by(days).at },
	});
	const decided = { at: by(3).at, by: "usr_a", verdict: "keep" as const, ground: "claim" };
	const alerts = [{ code: "decision_due" as const, at: by(2).at }];
	const dueAt = (tasks: SubjectRequest["tasks"]) =>
		dueAlerts(requestOf({ acknowledgedAt: receivedAt, tasks, alerts }), by(5).at).due;
	const first = task("conflict", 1);
	assert.deepEqual(dueAt([first, task("no_law", 2)]), []);
	assert.deepEqual(dueAt([{ ...first, decided }, task("no_law", 2)]), []);
	assert.deepEqual(dueAt([{ ...first, decided }, task("no_law", 4)]), ["decision_due"]);
});
