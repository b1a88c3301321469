import { audioEn } from "./words/audio";
import { controlEn } from "./words/control";
import { pagesEn } from "./words/pages";
import { panelsEn } from "./words/panels";
import { stageEn } from "./words/stage";

/** Every word on screen, in English. `Dictionary` is this object's shape, so a missing translation does not compile. */
export const en = {
  productName: "Teleconsult",
  productLine: "Live consultation over medical pictures",
  loading: "Loading…",

  signIn: {
    title: "Sign in",
    username: "User name",
    password: "Password",
    submit: "Sign in",
    submitting: "Signing in…",
    wrong: "User name or password is wrong. Try again.",
    throttled: "Too many attempts. Wait a moment, then try again.",
    missing: "Enter your user name and your password.",
    unreachable: "The service cannot be reached. Check the network, then try again.",
    restoreFailed: "The service cannot be reached. This page tries again by itself.",
  },

  account: {
    signedInAs: (name: string, role: string) => `${name} · ${role}`,
    signOut: "Sign out",
    switchLanguage: "切换到中文",
  },

  roles: {
    specialist: "Specialist",
    site: "On-site team",
    device: "Capture box",
    recorder: "Recorder",
    auditor: "Auditor",
    admin: "Administrator",
  },

  consultations: {
    title: "Open consultations",
    join: "Join",
    joinNamed: (header: string) => `Join ${header}`,
    room: (room: string) => `Room ${room}`,
    recorded: "Is recorded",
    notRecorded: "Is not recorded",
    unnamed: "Patient details not entered",
    none: "No consultation is open for you.",
    noneHint: "When the site opens one it appears here by itself.",
    failed: "The list cannot be loaded. This page tries again by itself.",
  },

  room: {
    title: (header: string) => `Consultation ${header}`,
    connecting: "Entering the room…",
    elapsed: "Time since the consultation was opened",
    people: (count: number) => (count === 1 ? "1 person" : `${count} people`),
    leave: "Leave",
    controls: "Controls",
    feeds: "Pictures",
    noFeeds: "No picture yet.",
    noFeedsHint: "Pictures appear here as soon as the site sends them.",
    viewFocus: "Main picture",
    viewWall: "Screen wall",
    showPeople: "People",
    keys: "Keys",
    reconnecting: "Connection to the service lost. Reconnecting…",
    soundBlocked: "The browser waits for a click before it plays sound.",
    hear: "Click to hear",
    backToList: "Back to the list",
    signInAgain: "Sign in again",
    tryAgain: "Try again",
    goOnWithout: "Go on without",
  },

  recording: {
    off: "Not recorded",
    starting: "Recording is starting",
    recording: "REC",
    recordingLong: "This consultation is being recorded",
    failed: "Recording failed",
  },

  endings: {
    ended: "The consultation has ended.",
    endedHint: "The site closed it. Nothing is sent or received any more.",
    removed: "You were removed from this room.",
    removedHint: "If this was a mistake, call the site. To come back in, they have to let you in.",
    forbidden: "You are not invited to this room.",
    forbiddenHint: "Ask the site to invite you, then join again.",
    notFound: "This room is not open.",
    notFoundHint: "It may have ended, or not have begun.",
    full: "The room is full.",
    fullHint: "Ask someone who only watches to leave, then try again.",
    signedOut: "Your sign-in has ended.",
    signedOutHint: "Sign in again to go on.",
    refused: "The service did not let you in.",
    refusedHint: (detail: string) => `It said: ${detail}`,
  },

  feed: {
    waiting: "Waiting for the first picture",
    live: "Live",
    noSignal: "No signal",
    reconnecting: "Reconnecting",
    left: "Left",
    unsupported: (codec: string) => `This browser cannot show ${codec} video`,
    lastPicture: (span: string) => `Last picture ${span} ago`,
    leftSince: (span: string) => `Left ${span} ago`,
    age: (ms: number) => `delay ${ms} ms`,
    ageLabel: "Time from capture to your screen",
    ageUnknown: "delay unknown",
    size: (width: number, height: number) => `${width} × ${height}`,
    rate: (framesPerSecond: number) => `${framesPerSecond} fps`,
    judgementLabel: "Picture quality",
    judgement: { good: "picture good", fair: "picture fair", poor: "picture poor" },
    focus: (name: string) => `Show ${name} as main picture`,
    fullScreen: "Full screen",
    endFullScreen: "End full screen",
    screenOf: (name: string) => `Screen of ${name}`,
    self: "You",
    selfHint: "Your camera, as you see yourself in a mirror",
  },

  talk: {
    microphoneOn: "Mic on",
    microphoneOff: "Mic off",
    microphoneAsking: "Allow mic…",
    cameraOn: "Camera on",
    cameraOff: "Camera off",
    cameraAsking: "Allow camera…",
    turnMicrophoneOn: "Turn the microphone on (Space)",
    turnMicrophoneOff: "Turn the microphone off (Space)",
    turnCameraOn: "Turn the camera on (V)",
    turnCameraOff: "Turn the camera off (V)",
    nowSpeaking: (names: string) => `Speaking: ${names}`,
  },

  problems: {
    microphone: {
      blocked: "Microphone blocked by the browser. Click the lock beside the address and allow it.",
      "none-found": "No microphone found. Plug one in, then try again.",
      "in-use": "Another program uses the microphone. Close it there, then try again.",
      "insecure-page":
        "The browser gives no microphone to an unencrypted page. Open this page with https://.",
      unsuitable: "This microphone does not fit. Choose another one in the browser, then try again.",
      unplugged: "The microphone was unplugged. Plug it in, then try again.",
      "refused-by-server": "The service does not let you talk in this room. You can go on listening.",
      unknown: "The microphone could not be started. Try again, or restart the browser.",
    },
    camera: {
      blocked: "Camera blocked by the browser. Click the lock beside the address and allow it.",
      "none-found": "No camera found. Plug one in, then try again.",
      "in-use": "Another program uses the camera. Close it there, then try again.",
      "insecure-page": "The browser gives no camera to an unencrypted page. Open this page with https://.",
      unsuitable: "This camera does not fit. Choose another one in the browser, then try again.",
      unplugged: "The camera was unplugged. Plug it in, then try again.",
      "refused-by-server": "The service does not take your camera in this room. You can go on watching.",
      unknown: "The camera could not be started. Try again, or restart the browser.",
    },
    screen: {
      blocked: "Screen blocked by the browser. Click the lock beside the address and allow sharing it.",
      "none-found": "There is no screen or window to share.",
      "in-use":
        "The system did not hand over the screen. Close other programs that record it, then try again.",
      "insecure-page": "The browser shares no screen from an unencrypted page. Open this page with https://.",
      unsuitable: "This screen cannot be shared. Choose another window, then try again.",
      unplugged: "The shared screen has gone. Share another one.",
      "refused-by-server": "The service does not take your screen in this room. You can go on watching.",
      unknown: "The screen could not be shared. Try again, or restart the browser.",
    },
  },

  people: {
    title: "People",
    you: "you",
    speaking: "speaking",
    microphoneOn: "microphone on",
    muted: "muted",
    listening: "listening",
    cameraOn: "camera on",
    connected: "connected",
    machines: "Boxes and services",
  },

  keys: {
    title: "Keys",
    close: "Close",
    talk: "Hold to talk; tap to switch the microphone",
    camera: "Camera on or off",
    focus: "Show picture 1 … 9 large",
    wall: "Main picture or screen wall",
    fullScreen: "Main picture on the full screen",
    help: "Show this list",
    space: "Space",
  },

  time: {
    seconds: (count: number) => `${count} s`,
    minutes: (count: number) => `${count} min`,
    hours: (count: number) => `${count} h`,
    days: (count: number) => `${count} days`,
    kept: (days: number) =>
      days % 365 === 0
        ? `${days / 365} year${days === 365 ? "" : "s"}`
        : `${days} day${days === 1 ? "" : "s"}`,
  },

  pages: pagesEn,
  panels: panelsEn,
  stage: stageEn,
  audio: audioEn,
  control: controlEn,
};

export type Dictionary = typeof en;
