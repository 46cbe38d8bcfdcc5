// A subscription is confirmed for topics that the operator named, at SNS's own address, and for nobody else.

import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { getGlobalDispatcher, MockAgent, setGlobalDispatcher } from "undici";
import { createAws } from "../../../adapters/carriers/aws.ts";

const topic = "arn:aws:sns:eu-west-1:123456789012:lethe";
const token = "2336412f37fb687f5d51e6e2425f";
const never = new AbortController().signal;
const real = getGlobalDispatcher();
after(() => setGlobalDispatcher(real));
let agent = new MockAgent();
beforeEach(() => {
	agent = new MockAgent();
	agent.disableNetConnect();
	setGlobalDispatcher(agent);
});

const asked: string[] = [];
function serve(origin: string, statusCode = 200) {
	asked.length = 0;
	const answer = ({ path }: { path: string }) => {
		asked.push(origin + path);
		return { statusCode, data: "", responseOptions: { headers: { location: "https://evil.example/" } } };
	};
	agent.get(origin).intercept({ path: /.*/, method: "GET" }).reply(answer).persist();
}

function confirm(
	more: Record<string, unknown> = {},
	topicArns = `${topic}, arn:aws-cn:sns:cn-north-1:123456789012:lethe`,
) {
	const { confirm: ask } = createAws({ settings: { topicArns }, secrets: {} });
	const message = {
		...{ Type: "SubscriptionConfirmation", TopicArn: topic, Token: token, MessageId: "m" },
		...{ SubscribeURL: "https://evil.example/?Action=ConfirmSubscription", ...more },
	};
	assert.ok(ask);
	return ask({ method: "POST", url: "https://lethe.example/cb", headers: {}, body: JSON.stringify(message) }, never);
}

test("the topic's own region is asked with its token, whatever address the message names", async () => {
	serve("https://sns.eu-west-1.amazonaws.com");
	assert.equal(await confirm(), true);
	const query = new URLSearchParams({ Action: "ConfirmSubscription", TopicArn: topic, Token: token });
	assert.deepEqual(asked, [`https://sns.eu-west-1.amazonaws.com/?${query}`]);
	serve("https://sns.cn-north-1.amazonaws.com.cn");
	assert.equal(await confirm({ TopicArn: "arn:aws-cn:sns:cn-north-1:123456789012:lethe" }), true);
	assert.equal(asked.length, 1);
});

test("another's topic, one that is no topic, and a token that is none are asked for nowhere", async () => {
	serve("https://sns.eu-west-1.amazonaws.com");
	const evil = "arn:aws:sns:evil.example/:123456789012:lethe";
	assert.equal(await confirm({ TopicArn: `${topic}2` }), false);
	assert.equal(await confirm({ TopicArn: evil }, evil), false);
	for (const Token of [undefined, "", "a&b", 1]) assert.equal(await confirm({ Token }), false, String(Token));
	assert.deepEqual(asked, []);
});

test("a notification asks for nothing", async () => {
	assert.equal(await confirm({ Type: "Notification" }), true);
	assert.equal(await confirm({ Type: "UnsubscribeConfirmation" }), true);
});

test("a refusal, a redirect and no answer are no confirmation", async () => {
	for (const status of [302, 400, 500]) {
		serve("https://sns.eu-west-1.amazonaws.com", status);
		assert.equal(await confirm(), false, String(status));
		agent = new MockAgent();
		agent.disableNetConnect();
		setGlobalDispatcher(agent);
	}
	assert.equal(await confirm(), false);
});
