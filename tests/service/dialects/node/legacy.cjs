// The gym's story with @azure/cognitiveservices-face: node legacy.cjs ENDPOINT KEY PHOTOS
const { readFileSync, createReadStream } = require("node:fs");
const { FaceClient } = require("@azure/cognitiveservices-face");
const { ApiKeyCredentials } = require("@azure/ms-rest-js");

const [address, key, file] = process.argv.slice(2);
const endpoint = new URL(address).origin; // the client would drop everything behind the host
const photos = JSON.parse(readFileSync(file, "utf8"));
const credentials = new ApiKeyCredentials({ inHeader: { "Ocp-Apim-Subscription-Key": key } });
const client = new FaceClient(credentials, endpoint);
const model = { recognitionModel: "recognition_04", detectionModel: "detection_03" };

async function who(path, persons) {
  // a function gives the body, so it goes as a stream
  const found = await client.face.detectWithStream(() => createReadStream(path), {
    ...model,
    returnFaceId: true,
  });
  const [answer] = await client.face.identify([found[0].faceId], { personGroupId: "legacy-gym" });
  return answer.candidates.map((one) => persons[one.personId]);
}

async function main() {
  await client.personGroup.create("legacy-gym", "Gym", { recognitionModel: "recognition_04" });
  const persons = {};
  for (const [name, path] of Object.entries(photos.members)) {
    const { personId } = await client.personGroupPerson.create("legacy-gym", { name });
    await client.personGroupPerson.addFaceFromStream("legacy-gym", personId, () =>
      createReadStream(path),
    );
    persons[personId] = name;
  }
  await client.personGroup.train("legacy-gym");
  let trained = "running";
  while (trained === "running" || trained === "nonstarted") {
    trained = (await client.personGroup.getTrainingStatus("legacy-gym")).status;
  }
  const refused = await client.personGroup.get("gone").then(
    () => null,
    (error) => error.body.error.code,
  );
  const member = await who(photos.member, persons);
  const stranger = await who(photos.stranger, persons);
  await client.personGroup.deleteMethod("legacy-gym");
  console.log(JSON.stringify({ trained, member, stranger, refused }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
