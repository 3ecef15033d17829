"""Where frames come from: images, folders, videos, cameras, addresses, the scene."""
