// The gym's story with @azure-rest/ai-vision-face: node rest.mjs ENDPOINT KEY PHOTOS
import { readFileSync } from "node:fs";
import createFaceClient, { getLongRunningPoller, isUnexpected } from "@azure-rest/ai-vision-face";
import { AzureKeyCredential } from "@azure/core-auth";

const [endpoint, key, file] = process.argv.slice(2);
const photos = JSON.parse(readFileSync(file, "utf8"));
// Without this option the client takes no http address.
const client = createFaceClient(endpoint, new AzureKeyCredential(key), {
  allowInsecureConnection: true,
});

function checked(answer, expected = "200") {
  if (answer.status !== expected) {
    throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`);
  }
  return answer.body;
}

const model = { recognitionModel: "recognition_04", detectionModel: "detection_03" };
const gym = { largePersonGroupId: "node-gym" };
checked(
  await client
    .path("/largepersongroups/{largePersonGroupId}", gym.largePersonGroupId)
    .put({ body: { name: "Gym", recognitionModel: "recognition_04" } }),
);
const persons = {};
for (const [name, path] of Object.entries(photos.members)) {
  const { personId } = checked(
    await client
      .path("/largepersongroups/{largePersonGroupId}/persons", gym.largePersonGroupId)
      .post({ body: { name } }),
  );
  checked(
    await client
      .path(
        "/largepersongroups/{largePersonGroupId}/persons/{personId}/persistedfaces",
        gym.largePersonGroupId,
        personId,
      )
      .post({
        contentType: "application/octet-stream",
        queryParameters: { detectionModel: "detection_03" },
        body: readFileSync(path),
      }),
  );
  persons[personId] = name;
}
const started = await client
  .path("/largepersongroups/{largePersonGroupId}/train", gym.largePersonGroupId)
  .post();
checked(started, "202");
const poller = await getLongRunningPoller(client, started);
const trained = await poller.pollUntilDone();

async function who(path) {
  const found = checked(
    await client.path("/detect").post({
      contentType: "application/octet-stream",
      queryParameters: { ...model, returnFaceId: true },
      body: readFileSync(path),
    }),
  );
  const [answer] = checked(
    await client.path("/identify").post({ body: { ...gym, faceIds: [found[0].faceId] } }),
  );
  return answer.candidates.map((one) => persons[one.personId]);
}

const session = checked(
  await client.path("/detectLiveness-sessions").post({
    body: { livenessOperationMode: "Passive", deviceCorrelationId: "door 1" },
  }),
);
const waiting = checked(
  await client.path("/detectLiveness-sessions/{sessionId}", session.sessionId).get(),
);
checked(await client.path("/detectLiveness-sessions/{sessionId}", session.sessionId).delete());

const missing = await client.path("/largepersongroups/{largePersonGroupId}", "gone").get();
console.log(
  JSON.stringify({
    trained: trained.body.status,
    session: waiting.status,
    member: await who(photos.member),
    stranger: await who(photos.stranger),
    refused: isUnexpected(missing) ? missing.body.error.code : null,
  }),
);
checked(
  await client
    .path("/largepersongroups/{largePersonGroupId}", gym.largePersonGroupId)
    .delete(),
);
