import { useEffect, useRef, useState, useSyncExternalStore, type CSSProperties, type ReactNode } from "react";
import { useFreezeWords } from "../../annotation/freeze/context";
import { useText } from "../../i18n/useText";
import type { Still } from "../../protocol/messages";
import { useStore } from "../../ui/hooks";
import type { ArchivedDrawings } from "../drawings/archived";
import { stillShown, type ArchivedStills } from "../drawings/stills";
import { wallTime } from "../format";
import type { ReplayPlayer } from "../player/replayPlayer";
import type { Track } from "../player/timeline";
import { UnsupportedCodec, type Load } from "../player/sourceFeeder";
import type { TrackPlayer, TrackState } from "../player/trackPlayer";
import { gapAt } from "../player/timeline";
import { ReplayError } from "../worker/protocol";
import { useReplayText } from "../words";
import { DrawnLayer } from "./DrawnLayer";
import { FrozenStill } from "./FrozenStill";
import { Watermark, type Viewer } from "./Watermark";

interface WallProps {
  player: ReplayPlayer;
  me: Viewer;
  load: Load;
  drawings: ArchivedDrawings;
  /** They are to be shown. */
  drawn: boolean;
}

/** All pictures of the consultation, in step, what was frozen of them, and what was drawn on them. */
export function Wall({ player, me, load, drawings, drawn }: WallProps) {
  const words = useReplayText().wall;
  const [enlarged, setEnlarged] = useState<string | null>(null);
  const states = useStore(player.lanes);
  const pictures = player.players.filter(({ track }) => track.media === "video");
  return (
    <section className="replay-wall" aria-label={words.label} data-count={pictures.length}>
      {pictures.map((picture) => {
        const { name } = picture.track;
        return (
          <Picture
            key={name}
            player={player}
            picture={picture}
            stills={drawings.stills}
            load={load}
            state={states.get(name) ?? picture.state}
            enlarged={enlarged === name}
            onEnlarge={() => {
              setEnlarged(enlarged === name ? null : name);
            }}
            layers={(still) => (
              <>
                {drawn && (
                  <DrawnLayer
                    player={player}
                    picture={picture}
                    drawings={drawings}
                    {...(still && { still })}
                  />
                )}
                <Watermark me={me} />
              </>
            )}
          />
        );
      })}
    </section>
  );
}

interface PictureProps {
  player: ReplayPlayer;
  picture: TrackPlayer;
  stills: ArchivedStills;
  load: Load;
  state: TrackState;
  enlarged: boolean;
  onEnlarge: () => void;
  /** Layers over the picture, or over a still, each as large as that itself. */
  layers: (still: Still | null) => ReactNode;
}

function Picture({ player, picture, stills, load, state, enlarged, onEnlarge, layers }: PictureProps) {
  const words = useReplayText().wall;
  const { track } = picture;
  const { timeline } = player;
  const frozen = useSyncExternalStore(player.store.subscribe, () =>
    stillShown(stills, timeline, track, player.store.get().positionUs),
  );
  const [away, setAway] = useState<Still | null>(null);
  const still = frozen === away ? null : frozen;
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current !== null) player.attach(track.name, video.current);
  }, [player, track]);
  const title = words.named(track.feed, (words.inputs as Record<string, string>)[track.input] ?? track.input);
  return (
    <figure
      className="replay-picture"
      data-testid={`replay-${track.name}`}
      data-state={state}
      data-enlarged={enlarged}
      data-frozen={still !== null}
      style={ratioOf(track)}
    >
      {still !== null && (
        <FrozenStill key={still.still_id} still={still} timeline={timeline} load={load} title={title}>
          {layers(still)}
        </FrozenStill>
      )}
      <div className="replay-screen">
        <video
          ref={video}
          muted
          playsInline
          disablePictureInPicture
          disableRemotePlayback
          aria-label={title}
        />
        <div className="replay-layers">{layers(null)}</div>
        {state !== "shown" && <Cover player={player} picture={picture} state={state} />}
      </div>
      <figcaption>
        <span>{title}</span>
        {frozen !== null && (
          <FrozenWords
            still={frozen}
            shown={still !== null}
            onChange={() => {
              setAway(still);
            }}
          />
        )}
        <button
          type="button"
          className="quiet"
          aria-pressed={enlarged}
          aria-label={enlarged ? words.reduce(title) : words.enlarge(title)}
          onClick={onEnlarge}
        >
          <span aria-hidden="true">{enlarged ? "▣" : "□"}</span>
        </button>
      </figcaption>
    </figure>
  );
}

/** Which frame is or was frozen, and the way from it to the recorded picture and back. */
function FrozenWords({ still, shown, onChange }: { still: Still; shown: boolean; onChange: () => void }) {
  const words = useFreezeWords();
  const { toRecorded } = useReplayText().wall;
  const { language } = useText();
  return (
    <span>
      <strong>{words.frozen}</strong> {wallTime(still.captured_us, language)} · {still.name}{" "}
      <button type="button" className="quiet" onClick={onChange}>
        {shown ? toRecorded : words.show}
      </button>
    </span>
  );
}

/** Why there is no picture. It appears after a moment, so that a lost frame does not flash. */
function Cover({
  player,
  picture,
  state,
}: {
  player: ReplayPlayer;
  picture: TrackPlayer;
  state: TrackState;
}) {
  const words = useReplayText().wall;
  const { positionUs } = useStore(player.store);
  const gap = gapAt(picture.track, player.timeline.gaps, positionUs);
  const why = gap === null ? words.missing : (words.gaps[gap.reason] ?? words.missing);
  const { problem } = picture;
  const failed =
    problem instanceof UnsupportedCodec
      ? words.unsupported(problem.message)
      : problem instanceof ReplayError && problem.code === "altered"
        ? words.altered
        : words.failed;
  const text = { waiting: words.waiting, missing: why, failed, shown: "" }[state];
  return (
    <p className="replay-cover" data-state={state}>
      {text}
    </p>
  );
}

function ratioOf(track: Track): CSSProperties {
  const first = track.generations.at(-1);
  const ratio =
    first !== undefined && first.width > 0 && first.height > 0 ? first.width / first.height : 16 / 9;
  return { "--ratio": String(ratio) } as CSSProperties;
}
