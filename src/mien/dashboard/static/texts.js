// The page's texts in English and Korean.

const TEXTS = {
  en: {
    skip: "Skip to the content", docs: "API", tasks: "Tasks",
    key: "API key", useKey: "Use this key", forget: "Forget it",
    keyInUse: "An API key is in use, for this tab only.",
    keyHint: "Printed at the first start, or made with: mien keys create --app NAME. "
      + "It stays in this tab and is forgotten when you close it.",
    detect: "Detect", analyze: "Analyse", compare: "Compare", identify: "Identify", groups: "Groups",
    detectLead: "Where are the faces in a photo?",
    analyzeLead: "What do the faces in a photo look like? Age, gender and emotion only where "
      + "they have been allowed: mien apps allow NAME --attributes LIST.",
    attribute: "Attribute", answer: "Answer", yes: "yes", no: "no",
    compareLead: "Do two photos show the same person?",
    identifyLead: "Who of a group is in a photo?",
    photo: "Photo", photoA: "First photo", photoB: "Second photo", photos: "Photos",
    drop: "Drop a photo here, or choose a file", dropSeveral: "Drop photos here, or choose files",
    working: "Working…", faces: "Faces", face: "Face", score: "Score", size: "Size",
    facesFound: (n) => (n === 1 ? "1 face" : `${n} faces`),
    noFaces: "No face found.",
    same: "Same person", different: "Different people",
    confidence: "Confidence", similarity: "Similarity", threshold: "Threshold",
    on: (unit) => `on ${unit}`, fmr: "False-match rate",
    group: "Group", person: "Person", persons: "Persons", created: "Created",
    unknown: "unknown", candidates: "Candidates",
    newGroup: "New group", create: "Create",
    groupRule: "Letters A-Z, digits, dot, dash and underscore",
    noGroups: "There are no groups yet. Create one to enrol people.",
    noPersons: "Nobody is enrolled yet.",
    enrol: "Enrol a person", enrolButton: "Enrol",
    enrolled: (n, who) => `${n === 1 ? "1 photo" : `${n} photos`} of ${who} enrolled.`,
    rejected: "Not enrolled", choosePhotos: "Choose at least one photo.",
    remove: "Delete", more: "More", show: "Show",
    removePerson: (who) => `Delete ${who} with all faces?`,
    removeGroup: (name) => `Delete the group ${name} with everybody in it?`,
    personsOf: (name) => `Persons in ${name}`,
    filesChosen: (n) => (n === 1 ? "1 photo chosen" : `${n} photos chosen`),
    loading: "The models are being loaded…", needKey: "Enter an API key to begin.",
    offline: "The server cannot be reached.", failed: "That did not work",
  },
  ko: {
    skip: "본문으로 건너뛰기", docs: "API", tasks: "작업",
    key: "API 키", useKey: "이 키 사용", forget: "키 지우기",
    keyInUse: "이 탭에서 API 키를 사용 중입니다.",
    keyHint: "처음 시작할 때 출력된 키, 또는 mien keys create --app 이름 으로 만든 키입니다. "
      + "이 탭에만 보관되며 탭을 닫으면 지워집니다.",
    detect: "검출", analyze: "분석", compare: "비교", identify: "식별", groups: "그룹",
    detectLead: "사진에서 얼굴이 어디에 있나요?",
    analyzeLead: "사진 속 얼굴은 어떤 모습인가요? 나이, 성별, 감정은 허용된 경우에만 "
      + "답합니다: mien apps allow 이름 --attributes 목록.",
    attribute: "속성", answer: "답", yes: "예", no: "아니요",
    compareLead: "두 사진은 같은 사람인가요?",
    identifyLead: "사진 속 사람은 그룹의 누구인가요?",
    photo: "사진", photoA: "첫 번째 사진", photoB: "두 번째 사진", photos: "사진",
    drop: "사진을 끌어다 놓거나 파일을 고르세요", dropSeveral: "사진들을 끌어다 놓거나 파일을 고르세요",
    working: "처리 중…", faces: "얼굴", face: "얼굴", score: "점수", size: "크기",
    facesFound: (n) => `얼굴 ${n}개`,
    noFaces: "얼굴을 찾지 못했습니다.",
    same: "같은 사람", different: "다른 사람",
    confidence: "신뢰도", similarity: "유사도", threshold: "임계값",
    on: (unit) => `${unit === "confidence" ? "신뢰도" : "유사도"} 기준`, fmr: "오인식률(FMR)",
    group: "그룹", person: "사람", persons: "사람", created: "만든 날",
    unknown: "모르는 사람", candidates: "후보",
    newGroup: "새 그룹", create: "만들기",
    groupRule: "영문자, 숫자, 점, 붙임표, 밑줄",
    noGroups: "아직 그룹이 없습니다. 그룹을 만든 뒤 사람을 등록하세요.",
    noPersons: "아직 등록된 사람이 없습니다.",
    enrol: "사람 등록", enrolButton: "등록",
    enrolled: (n, who) => `${who}의 사진 ${n}장을 등록했습니다.`,
    rejected: "등록하지 못한 사진", choosePhotos: "사진을 한 장 이상 고르세요.",
    remove: "삭제", more: "더 보기", show: "보기",
    removePerson: (who) => `${who}의 모든 얼굴을 삭제할까요?`,
    removeGroup: (name) => `그룹 ${name}의 모든 사람을 삭제할까요?`,
    personsOf: (name) => `${name} 그룹의 사람`,
    filesChosen: (n) => `사진 ${n}장 선택됨`,
    loading: "모델을 불러오는 중입니다…", needKey: "시작하려면 API 키를 입력하세요.",
    offline: "서버에 연결할 수 없습니다.", failed: "처리하지 못했습니다",
  },
};

// What the server says is English; in Korean the common codes have words of their own.
const ERRORS_KO = {
  unauthorized: "API 키가 없거나 올바르지 않습니다.",
  forbidden: "이 키로는 할 수 없는 작업입니다.",
  no_face: "사진에서 얼굴을 찾지 못했습니다.",
  several_faces: "얼굴이 여러 개입니다. 한 사람만 있는 사진을 쓰세요.",
  image_decode: "사진 파일을 읽을 수 없습니다.",
  image_unsupported: "지원하지 않는 사진 형식입니다.",
  image_too_large: "사진이 너무 큽니다.",
  image_too_small: "사진이 너무 작습니다.",
  request_too_large: "요청이 너무 큽니다.",
  already_exists: "이미 있습니다.",
  duplicate: "이미 등록된 사진입니다.",
  face_too_small: "얼굴이 너무 작습니다.",
  not_found: "찾을 수 없습니다.",
  overloaded: "서버가 바쁩니다. 잠시 뒤 다시 시도하세요.",
  deadline_exceeded: "시간이 너무 오래 걸렸습니다.",
};

let language = "en";

export function currentLanguage() { return language; }

export function say(name, ...values) {
  const text = TEXTS[language][name];
  return typeof text === "function" ? text(...values) : text;
}

export function sayError(code, message) {
  return (language === "ko" && ERRORS_KO[code]) || message;
}

export function useLanguage(name) {
  language = name in TEXTS ? name : "en";
  document.documentElement.lang = language;
  for (const [attribute, target] of [["label", "aria-label"], ["hint", "placeholder"], ["title", "title"]]) {
    for (const element of document.querySelectorAll(`[data-${attribute}]`)) {
      element.setAttribute(target, say(element.dataset[attribute]));
    }
  }
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = say(element.dataset.text);
  }
}
