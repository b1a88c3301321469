import { DrawingLayer } from "../../annotation/DrawingLayer";
import { FreezeTools, FreezeWords, useShownStill } from "../../annotation/freeze/FreezeTools";
import { FrozenPicture } from "../../annotation/freeze/FrozenPicture";
import { memo, use, type CSSProperties } from "react";
import type { Codec } from "../../media/codecs";
import type { MediaMonitor } from "../../media/monitor";
import type { RemoteTrack } from "../../media/subscriber";
import type { ConsultationInfo } from "../../protocol/messages";
import { useText } from "../../i18n/useText";
import { shownStatus, type Feed } from "../../room/feeds";
import { FullScreenIcon } from "../icons";
import { AskControl, ControlBar, ControlledWords } from "./control/ControlBar";
import { ControlSurface } from "./control/ControlSurface";
import { Curtain } from "./Curtain";
import { FeedCaption, feedName } from "./FeedCaption";
import { toggleFullScreen, useFilled, usePageDocument, type Filled } from "./fullScreen";
import { MoveHandle } from "./MoveHandle";
import type { PictureZoom } from "./pictureZoom";
import { RemoteVideo, type Places } from "./RemoteVideo";
import { MovingContext } from "./useMoving";
import { useFeedStatus } from "./useReadings";
import { ZoomablePicture, ZoomControls } from "./ZoomablePicture";

type RecordingState = ConsultationInfo["recording"];

interface Props {
  feed: Feed;
  monitor: MediaMonitor;
  viewing: Places;
  remote: RemoteTrack | undefined;
  codec: Codec | null;
  zoom: PictureZoom;
  focused: boolean;
  /** A face beside the picture in focus. */
  small: boolean;
  /** Grid places, as CSS variables. */
  row: number | undefined;
  column: number | undefined;
  onFocus: (id: string) => void;
  /** It can be arranged among the others, and is being so. */
  movable: boolean;
  mark: "moving" | "drop" | undefined;
  /** What nobody may forget on a full screen. */
  recording: RecordingState;
}

/**
 * One picture on the wall or in focus. The same element in both places, so that changing places never blinks. It is
 * drawn anew when something about its feed changes, not when a number under it does.
 */
export const FeedTile = memo(function FeedTile(props: Props) {
  const { feed, monitor, remote, codec, zoom, focused } = props;
  const { text } = useText();
  const name = feedName(feed, text);
  const reading = useFeedStatus(monitor, feed.trackId);
  const status = shownStatus(feed, reading === null ? null : { status: reading });
  const filled = useFilled(feed.id);
  const hidden = status === "paused" || status === "off" || status === "held";
  const large = focused || filled !== "no";
  const zoomable = large && remote !== undefined && !hidden;
  const frozen = useShownStill(feed.id);
  const still = large && status !== "paused" ? frozen : null;
  const video = (zoomed: boolean) =>
    remote && (
      <RemoteVideo
        stream={remote.stream}
        monitor={monitor}
        trackId={remote.trackId}
        viewing={props.viewing}
        focused={zoomed && large}
        zoom={zoomed && zoomable ? zoom : null}
      />
    );
  const curtain = status !== "live" && (
    <Curtain monitor={monitor} feed={feed} status={status} codec={codec} />
  );
  const place = { "--row": props.row, "--column": props.column } as CSSProperties;
  return (
    <section
      className="tile"
      id={`tile-${feed.id}`}
      data-testid={`feed-${feed.id}`}
      data-feed={feed.id}
      data-focused={focused}
      data-small={props.small}
      data-filled={filled}
      data-kind={feed.kind}
      data-status={status}
      data-movable={props.movable}
      data-mark={props.mark}
      style={place}
      aria-label={name}
    >
      {still !== null ? (
        <FrozenPicture still={still} name={name} zoom={zoom}>
          <div className="picture">
            {video(false)}
            {curtain}
          </div>
        </FrozenPicture>
      ) : (
        <ZoomablePicture
          zoom={zoom}
          active={zoomable}
          over={
            <>
              {curtain}
              <Cover {...props} name={name} />
              {zoomable && status === "live" && <ControlSurface feedId={feed.id} name={name} zoom={zoom} />}
              {!hidden && remote !== undefined && (
                <DrawingLayer
                  feedId={feed.id}
                  trackId={remote.trackId}
                  monitor={monitor}
                  zoom={zoom}
                  active={zoomable}
                  follows={feed.boxed}
                  name={name}
                />
              )}
              {large && <FreezeWords feedId={feed.id} />}
            </>
          }
        >
          {video(true)}
        </ZoomablePicture>
      )}
      {large && <ControlBar feed={feed} usable={zoomable && status === "live" && still === null} />}
      <div className="caption">
        <FeedCaption monitor={monitor} feed={feed} status={status} codec={codec} />
        {!large && <ControlledWords feedId={feed.id} />}
        {filled !== "no" && <RecordingWords state={props.recording} />}
        <span className="tile-tools">
          {zoomable && feed.kind === "device" && still === null && <FreezeTools feed={feed} name={name} />}
          {zoomable && <AskControl feed={feed} name={name} />}
          {(zoomable || still !== null) && <ZoomControls zoom={zoom} name={name} />}
          {filled === "no" && props.movable && <MoveHandle feedId={feed.id} name={name} />}
          <FullScreenButton feedId={feed.id} name={name} filled={filled} />
        </span>
      </div>
    </section>
  );
});

/** The picture itself is a button. */
function Cover({ feed, focused, onFocus, name }: Props & { name: string }) {
  const { text } = useText();
  const page = usePageDocument();
  const moving = use(MovingContext);
  return (
    <button
      type="button"
      className="cover"
      aria-label={focused ? `${text.feed.fullScreen}: ${name}` : text.feed.focus(name)}
      onClick={(event) => {
        if (moving?.clicked(feed.id) === true) return;
        // Without a pointer there is no double click: the picture in focus then goes to full screen.
        if (focused && event.detail === 0) toggleFullScreen(feed.id, page);
        else if (event.detail < 2) onFocus(feed.id);
      }}
    />
  );
}

function FullScreenButton({ feedId, name, filled }: { feedId: string; name: string; filled: Filled }) {
  const { text } = useText();
  const page = usePageDocument();
  const words = filled === "no" ? text.feed.fullScreen : text.feed.endFullScreen;
  return (
    <button
      type="button"
      className="quiet icon-only full-screen"
      aria-label={`${words}: ${name}`}
      title={words}
      onClick={() => {
        toggleFullScreen(feedId, page);
      }}
    >
      <FullScreenIcon />
    </button>
  );
}

function RecordingWords({ state }: { state: RecordingState }) {
  const { text } = useText();
  return (
    <span className="recording" data-state={state}>
      {text.recording[state]}
    </span>
  );
}
