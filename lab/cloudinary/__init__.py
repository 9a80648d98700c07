"""Cloudinary as its official clients find it: signed uploads, transformations, delivery, admin."""
