import { use, useEffect, useRef, useState, type ReactNode } from "react";
import { useText } from "../../i18n/useText";
import type { Still } from "../../protocol/messages";
import { useStore } from "../../ui/hooks";
import { saveBlob } from "../../ui/room/chat/saveFile";
import type { PictureZoom } from "../../ui/room/pictureZoom";
import { ZoomablePicture } from "../../ui/room/ZoomablePicture";
import { DrawingContext, useDrawingWords } from "../context";
import { DrawingLayer } from "../DrawingLayer";
import { annotated, stillName } from "./annotated";
import { FreezeContext, useFreezeWords } from "./context";
import type { FreezeRoom } from "./freezeRoom";
import { stillsOf } from "./freezeDesk";
import "./freeze.css";

interface Props {
  still: Still;
  name: string;
  zoom: PictureZoom;
  /** The live picture, small. */
  children: ReactNode;
}

/** A still shown large, to be drawn on by all, with the live picture going on beside it. */
export function FrozenPicture(props: Props) {
  const room = use(FreezeContext);
  return room === null ? null : <Frozen key={props.still.still_id} {...props} room={room} />;
}

function Frozen({ still, name, zoom, children, room }: Props & { room: FreezeRoom }) {
  const words = useFreezeWords();
  const { text } = useText();
  const image = useRef<HTMLImageElement>(null);
  const [attempt, setAttempt] = useState(0);
  const url = useStillUrl(room, still, attempt);
  return (
    <div className="frozen" data-testid={`frozen-${still.feed}`}>
      <ZoomablePicture
        zoom={zoom}
        active
        over={
          <DrawingLayer
            feedId={still.feed}
            trackId=""
            monitor={room.monitor}
            zoom={zoom}
            active
            follows={false}
            name={words.stillOf(name)}
            stillUs={still.captured_us}
          />
        }
      >
        {url !== null && url !== "" && (
          <img
            ref={image}
            className="still-picture"
            data-testid="still"
            data-still={still.still_id}
            data-captured-us={still.captured_us}
            src={url}
            alt={words.stillOf(name)}
          />
        )}
      </ZoomablePicture>
      <figure className="frozen-live" aria-label={`${name}: ${words.live}`}>
        {children}
        <figcaption>{words.live}</figcaption>
      </figure>
      <div className="frozen-bar" role="group" aria-label={words.bar(name)}>
        <Taken still={still} />
        {url === null && <span role="status">{text.panels.chat.pictureLoading}</span>}
        {url === "" && (
          <button
            type="button"
            onClick={() => {
              setAttempt(attempt + 1);
            }}
          >
            {text.panels.chat.pictureFailed}
          </button>
        )}
        <Others still={still} room={room} />
        <SaveButton still={still} picture={() => image.current} ready={url !== null && url !== ""} />
        <UnfreezeButton still={still} room={room} />
        <button
          type="button"
          data-testid="back-to-live"
          onClick={() => {
            room.freezes.choose(still.feed, null);
          }}
        >
          {words.backToLive}
        </button>
      </div>
    </div>
  );
}

/** Null while it loads, empty when it cannot be had. */
function useStillUrl({ pictures }: FreezeRoom, { file }: Still, attempt: number): string | null {
  const [found, setFound] = useState<{ attempt: number; url: string } | null>(null);
  useEffect(() => {
    if (file === null) return undefined;
    let wanted = true;
    const set = (url: string) => {
      if (wanted) setFound({ attempt, url });
    };
    pictures.take(file).then(set, () => {
      set("");
    });
    return () => {
      wanted = false;
      pictures.release(file);
    };
  }, [pictures, file, attempt]);
  return found?.attempt === attempt ? found.url : null;
}

function Taken({ still }: { still: Still }) {
  const words = useFreezeWords();
  const { language } = useText();
  const time = new Date(still.captured_us / 1000).toLocaleTimeString(language, { hour12: false });
  return (
    <span className="frozen-words">
      <strong>{words.frozen}</strong> {time} · {still.name}
    </span>
  );
}

/** When several frames of a picture are frozen: the next one. */
function Others({ still, room }: { still: Still; room: FreezeRoom }) {
  const words = useFreezeWords();
  const all = stillsOf(useStore(room.freezes.store), still.feed).map(({ still_id }) => still_id);
  const at = all.indexOf(still.still_id) + 1;
  if (all.length < 2) return null;
  return (
    <button
      type="button"
      onClick={() => {
        room.freezes.choose(still.feed, all[at % all.length] ?? null);
      }}
    >
      {words.next(at, all.length)}
    </button>
  );
}

/** For who may: the one who froze it, and hosts. */
function UnfreezeButton({ still, room }: { still: Still; room: FreezeRoom }) {
  const words = useFreezeWords();
  const desk = use(DrawingContext);
  if (desk === null || (desk.author?.person !== still.person && !desk.moderates)) return null;
  return (
    <button
      type="button"
      data-testid="unfreeze"
      onClick={() => {
        room.freezes.unfreeze(still);
      }}
    >
      {words.unfreeze}
    </button>
  );
}

function SaveButton({
  still,
  picture,
  ready,
}: {
  still: Still;
  picture: () => HTMLImageElement | null;
  ready: boolean;
}) {
  const words = useFreezeWords();
  const drawing = useDrawingWords();
  const { language } = useText();
  const desk = use(DrawingContext);
  const save = async () => {
    const image = picture();
    if (desk === null || image === null) return;
    const written = {
      length: (mm: number | null) =>
        mm === null
          ? drawing.noScale
          : drawing.millimetres(mm.toLocaleString(language, { maximumFractionDigits: 1 })),
      unsure: () => drawing.unsure,
    };
    const blob = await annotated(image, still, desk.of(still.feed).marks(), desk.nowUs(), written);
    if (blob !== null) saveBlob(blob, stillName(still));
  };
  return (
    <button
      type="button"
      data-testid="save-still"
      aria-disabled={!ready}
      onClick={() => {
        if (ready) void save();
      }}
    >
      {words.save}
    </button>
  );
}
