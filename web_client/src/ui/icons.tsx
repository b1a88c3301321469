import type { ReactNode } from "react";

/** Line drawings of our own on a 24-unit grid; decoration only, as words always stand beside them. */
export function Icon({ children }: { children: ReactNode }) {
  return (
    <svg
      className="icon"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.75"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  );
}

const Slash = () => <path d="M4 4 20 20" />;
const MicrophoneShape = () => (
  <>
    <rect x="9" y="3" width="6" height="11" rx="3" />
    <path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3" />
  </>
);
const CameraShape = () => (
  <>
    <rect x="3" y="7" width="12" height="10" rx="2" />
    <path d="m15 11 6-3v8l-6-3" />
  </>
);

export const MicrophoneIcon = ({ off }: { off: boolean }) => (
  <Icon>
    <MicrophoneShape />
    {off && <Slash />}
  </Icon>
);

export const CameraIcon = ({ off }: { off: boolean }) => (
  <Icon>
    <CameraShape />
    {off && <Slash />}
  </Icon>
);

export const FocusViewIcon = () => (
  <Icon>
    <rect x="3" y="5" width="12" height="14" rx="1" />
    <path d="M18 5.5h3M18 12h3M18 18.5h3" />
  </Icon>
);

export const WallIcon = () => (
  <Icon>
    <path d="M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z" />
  </Icon>
);

export const PeopleIcon = () => (
  <Icon>
    <circle cx="9" cy="8" r="3.2" />
    <path d="M3 19c.6-3.6 2.8-5.5 6-5.5s5.4 1.9 6 5.5M16 5.4a3 3 0 0 1 0 5.4M18 14.3c1.6.8 2.6 2.4 3 4.7" />
  </Icon>
);

export const KeysIcon = () => (
  <Icon>
    <rect x="2.5" y="6" width="19" height="12" rx="2" />
    <path d="M6.5 10h.01M10 10h.01M14 10h.01M17.5 10h.01M8 14h8" />
  </Icon>
);

export const LeaveIcon = () => (
  <Icon>
    <path d="M13 4H5v16h8M10 12h11M17.5 8.5 21 12l-3.5 3.5" />
  </Icon>
);

export const FullScreenIcon = () => (
  <Icon>
    <path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5" />
  </Icon>
);

export const SoundIcon = () => (
  <Icon>
    <path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11" />
  </Icon>
);

export const MoveIcon = () => (
  <Icon>
    <path d="M12 3v18M3 12h18M9.5 5.5 12 3l2.5 2.5M9.5 18.5 12 21l2.5-2.5M5.5 9.5 3 12l2.5 2.5M18.5 9.5 21 12l-2.5 2.5" />
  </Icon>
);

export const WindowIcon = () => (
  <Icon>
    <rect x="3" y="8" width="13" height="12" rx="1" />
    <path d="M8 4h13v12M3 12h13" />
  </Icon>
);
