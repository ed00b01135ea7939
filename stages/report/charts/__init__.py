"""The report's charts: data in, coordinates out.

The templates draw the coordinates as inline SVG. No chart library, because the page follows the reader's light or dark
theme, scales to a phone and is read aloud by screen readers, so its marks need CSS classes and titles. The SVG of
matplotlib has fixed colours and sizes, and JavaScript libraries add megabytes to every report.
"""
