"""What an image is and holds: two builds compared, licences, the bill of materials, its description."""
